"""The plan: order, interleaving, resume and what a budget leaves out."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from framebench.campaign import plan, suites
from framebench.campaign.plan import Planned
from framebench.campaign.request import parse_budget
from framebench.campaign.suites import CaseRow, Headline
from framebench.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
STACKS = ("keras-torch", "keras-jax")
WAYS = ("loop", "direct")


SUITE = msgspec.structs.replace(
    suites.load(ROOT, "cpu"),
    cases=[
        CaseRow(workload="convstack", preset="cpu", tasks=["train", "infer"], batch=16),
        CaseRow(workload="mlp", preset="cpu", tasks=["train", "infer"], batch=32),
    ],
    contenders=["torch-eager", *(f"{stack}-compiled-{way}" for stack in STACKS for way in WAYS)],
    headline=Headline(
        cases=["convstack/*-train-*", "mlp/*-train-*"],
        contenders=["torch-eager", *(f"{stack}-compiled-loop" for stack in STACKS)],
    ),
)
"""Five contenders and a twin in four cases; three of them and the twin in two are the headline."""


def make(
    budget_s: float | None,
    seconds: float = 10.0,
    done: set[Planned] | None = None,
    rounds: int = 5,
    settled: dict[str, int] | None = None,
    **changes: object,
) -> plan.Plan:
    suite = msgspec.structs.replace(SUITE, rounds=rounds, **changes)
    return plan.make(
        suite,
        suite.expand(2),
        suite.entrants(),
        seconds=lambda trial: seconds,
        done=lambda trial: trial in (done or set()),
        settled=lambda case, contenders: (settled or {}).get(case.path),
        budget_s=budget_s,
        seed=7,
        takes_part=suite.admits,
    )


def test_without_a_budget_everything_runs() -> None:
    whole = make(None)
    assert [len(batch) for batch in whole.rounds] == [4 * 6] * 5  # five contenders and the twin, 4 cases
    assert {trial.kind for trial in whole.gates} == {"parity", "ceiling", "memory", "cold-start"}
    assert len(whole.gates) == 3 * 4 * 5 + 1  # the twin has no gate of its own
    assert whole.dropped == []


def test_one_ceiling_is_measured_in_the_baseline_s_stack() -> None:
    whole = make(None)
    (ceiling,) = (trial for trial in whole.gates if trial.kind == "ceiling")
    assert ceiling.contender.slug == "torch-eager"
    assert ceiling.case == SUITE.expand(2)[0]
    assert make(None, done={ceiling}).done == 1


def test_every_round_holds_each_contender_of_each_case_once() -> None:
    for batch in make(None).rounds:
        pairs = [(trial.case.path, trial.contender.slug) for trial in batch]
        assert len(pairs) == len(set(pairs))


def test_rounds_are_shuffled_differently_but_reproducibly() -> None:
    first, again = make(None), make(None)
    assert first.rounds == again.rounds
    order = [[trial.contender.slug for trial in batch[:6]] for batch in first.rounds]
    assert order[0] != order[1]


def test_a_budget_takes_the_headline_set_first_and_names_what_it_drops() -> None:
    # 3 contenders x 2 cases: 18 gates, a ceiling and 3 rounds of 8 trials, 10 s each = 430 s.
    fitted = make(440.0)
    assert {trial.case.path for trial in fitted.trials()} == {
        "convstack/cpu-train-b16-fp32-cpu1-c2",
        "mlp/cpu-train-b32-fp32-cpu1-c2",
    }
    assert [len(batch) for batch in fitted.rounds] == [8, 8, 8]
    assert fitted.estimate_s <= 440.0
    assert "case convstack/cpu-infer-b16-fp32-cpu1-c2" in fitted.dropped
    assert "contender keras-jax-compiled-direct" in fitted.dropped
    assert "rounds 4 to 5" in fitted.dropped


def test_a_small_budget_drops_a_headline_case_rather_than_rounds() -> None:
    fitted = make(230.0)  # one case: 9 gates, a ceiling and 3 rounds of 4 are 220 s
    assert len({trial.case.path for trial in fitted.trials()}) == 1
    assert len(fitted.rounds) == 3


def test_a_contender_that_is_for_when_there_is_time_goes_before_a_case_goes() -> None:
    costly = "keras-jax-compiled-loop"
    headline = msgspec.structs.replace(SUITE.headline, if_time_allows=[costly])
    fitted = make(360.0, headline=headline)  # without it 12 gates, a ceiling and 3 rounds of 6 are 310 s
    assert len({trial.case.path for trial in fitted.trials()}) == 2
    assert {trial.contender.slug for trial in fitted.trials()} == {
        "torch-eager",
        "torch-eager-twin",
        "keras-torch-compiled-loop",
    }
    assert f"contender {costly}" in fitted.dropped
    # with the case gone there is time for it; with time for both nothing is missing
    one_case = make(230.0, headline=headline)
    assert len({trial.case.path for trial in one_case.trials()}) == 1
    assert costly in {trial.contender.slug for trial in one_case.trials()}
    assert costly in {trial.contender.slug for trial in make(440.0, headline=headline).trials()}


def test_a_large_budget_adds_cases_and_rounds() -> None:
    fitted = make(1700.0)
    assert len({trial.case.path for trial in fitted.trials()}) == 4
    assert len(fitted.rounds) > 3


def test_what_is_done_is_not_run_again() -> None:
    whole = make(None)
    finished = set(whole.rounds[0]) | set(whole.gates)
    rest = make(None, done=finished)
    assert not rest.gates
    assert rest.rounds == whole.rounds[1:]
    assert rest.done == len(finished)


def test_a_settled_case_has_no_later_rounds_and_they_are_not_missing() -> None:
    whole = make(None, rounds=10)
    quiet = whole.rounds[0][0].case
    finished = {trial for batch in whole.rounds[:5] for trial in batch} | set(whole.gates)
    rest = make(None, rounds=10, done=finished, settled={quiet.path: 5})
    assert {trial.round for trial in rest.trials()} == {6, 7, 8, 9, 10}
    assert quiet not in {trial.case for trial in rest.trials()}
    assert len(rest.trials()) == 5 * 3 * 6
    assert rest.settled == (f"{quiet.path} after 5 rounds",)
    assert rest.done == len(finished)


def test_when_every_case_is_settled_nothing_is_left() -> None:
    whole = make(None, rounds=10)
    finished = {trial for batch in whole.rounds[:7] for trial in batch} | set(whole.gates)
    cases = {trial.case.path: 7 for trial in finished}
    assert make(None, rounds=10, done=finished, settled=cases).trials() == []
    assert make(100.0, rounds=10, done=finished, settled=cases).trials() == []


def test_rounds_beyond_the_budget_are_planned_only_where_looks_may_free_the_time() -> None:
    whole = make(None, rounds=10)
    longer = make(whole.estimate_s - 10.0 * 2.5 * 24, rounds=10)  # two and a half rounds are too many
    assert len(longer.rounds) == 10
    assert longer.estimate_s == whole.estimate_s - 10.0 * 3 * 24
    assert longer.dropped == ["rounds 8 to 10, unless cases settled early leave the time"]
    shorter = make(440.0, rounds=10)
    assert len(shorter.rounds) == 3 and "rounds 4 to 10" in shorter.dropped


def test_who_does_not_take_part_is_in_no_trial_of_the_case() -> None:
    rows = [msgspec.structs.replace(SUITE.cases[0], contenders=["!*-loop"]), SUITE.cases[1]]
    whole = make(None, cases=rows)
    of_convstack = {t.contender.slug for t in whole.trials() if t.case.workload == "convstack"}
    assert of_convstack == {slug for slug in SUITE.contenders if not slug.endswith("-loop")} | {
        "torch-eager-twin"
    }
    assert [len(batch) for batch in whole.rounds] == [2 * 4 + 2 * 6] * 5
    assert {len(compared) for compared in whole.compared.values()} == {4, 6}


def test_a_case_in_which_nobody_takes_part_is_not_planned() -> None:
    rows = [msgspec.structs.replace(SUITE.cases[0], contenders=["!*"]), SUITE.cases[1]]
    assert {trial.case.workload for trial in make(None, cases=rows).trials()} == {"mlp"}


def test_each_precision_has_a_ceiling() -> None:
    rows = [msgspec.structs.replace(row, precision=["fp32", "bf16"]) for row in SUITE.cases]
    ceilings = [trial for trial in make(None, cases=rows).gates if trial.kind == "ceiling"]
    assert [trial.case.precision for trial in ceilings] == ["fp32", "bf16"]


def test_a_headline_may_leave_kinds_of_trials_for_when_there_is_time() -> None:
    headline = msgspec.structs.replace(SUITE.headline, kinds=["parity", "memory", "timing"])
    fitted = make(400.0, headline=headline)  # 12 gates and 3 rounds of 8 are 360 s
    assert {trial.kind for trial in fitted.gates} == {"parity", "memory"}
    assert "all cold-start trials" in fitted.dropped and "all ceiling trials" in fitted.dropped
    assert "cold-start" in {trial.kind for trial in make(440.0, headline=headline).gates}


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90.0), ("20m", 1200.0), ("2h", 7200.0), ("15", 900.0), ("none", None)]
)
def test_budgets(text: str, seconds: float | None) -> None:
    assert parse_budget(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "0m", "-5m", "20 minutes", "9" * 400, "1e9h"])
def test_bad_budgets_are_one_sentence(text: str) -> None:
    with pytest.raises(UserError, match="write 90s, 20m, 2h or none"):
        parse_budget(text)
