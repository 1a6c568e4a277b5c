"""The plan: order, interleaving, resume and what a budget leaves out."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from framebench.campaign import plan, suites
from framebench.campaign.plan import Planned
from framebench.campaign.request import parse_budget
from framebench.errors import UserError

ROOT = Path(__file__).resolve().parents[2]


def make(
    budget_s: float | None,
    seconds: float = 10.0,
    done: set[Planned] | None = None,
    rounds: int = 5,
    settled: dict[str, int] | None = None,
) -> plan.Plan:
    suite = msgspec.structs.replace(suites.load(ROOT, "cpu"), rounds=rounds)
    return plan.make(
        suite,
        suite.expand(2),
        suite.entrants(),
        seconds=lambda trial: seconds,
        done=lambda trial: trial in (done or set()),
        settled=lambda case, contenders: (settled or {}).get(case.path),
        budget_s=budget_s,
        seed=7,
    )


def test_without_a_budget_everything_runs() -> None:
    whole = make(None)
    assert [len(batch) for batch in whole.rounds] == [4 * 18] * 5  # 17 contenders and the twin, 4 cases
    assert {trial.kind for trial in whole.gates} == {"parity", "ceiling", "memory", "cold-start"}
    assert len(whole.gates) == 3 * 4 * 17 + 1  # the twin has no gate of its own
    assert whole.dropped == []


def test_one_ceiling_is_measured_in_the_baseline_s_stack() -> None:
    whole = make(None)
    (ceiling,) = (trial for trial in whole.gates if trial.kind == "ceiling")
    assert ceiling.contender.slug == "torch-eager"
    assert ceiling.case == suites.load(ROOT, "cpu").expand(2)[0]
    assert make(None, done={ceiling}).done == 1


def test_every_round_holds_each_contender_of_each_case_once() -> None:
    for batch in make(None).rounds:
        pairs = [(trial.case.path, trial.contender.slug) for trial in batch]
        assert len(pairs) == len(set(pairs))


def test_rounds_are_shuffled_differently_but_reproducibly() -> None:
    first, again = make(None), make(None)
    assert first.rounds == again.rounds
    order = [[trial.contender.slug for trial in batch[:18]] for batch in first.rounds]
    assert order[0] != order[1]


def test_a_budget_takes_the_headline_set_first_and_names_what_it_drops() -> None:
    # 6 contenders x 2 cases: 36 gates, a ceiling and 3 rounds of 14 trials, 10 s each = 790 s.
    fitted = make(800.0)
    assert {trial.case.path for trial in fitted.trials()} == {
        "convstack/cpu-train-b16-fp32-cpu1-c2",
        "mlp/cpu-train-b32-fp32-cpu1-c2",
    }
    assert [len(batch) for batch in fitted.rounds] == [14, 14, 14]
    assert fitted.estimate_s <= 800.0
    assert "case convstack/cpu-infer-b16-fp32-cpu1-c2" in fitted.dropped
    assert "contender tensorflow-compiled-xla" in fitted.dropped
    assert "rounds 4 to 5" in fitted.dropped


def test_a_small_budget_drops_a_headline_case_rather_than_rounds() -> None:
    fitted = make(420.0)  # one case: 18 gates, a ceiling and 3 rounds of 7 are 400 s
    assert len({trial.case.path for trial in fitted.trials()}) == 1
    assert len(fitted.rounds) == 3


def test_a_large_budget_adds_cases_and_rounds() -> None:
    fitted = make(2500.0)
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
    assert len(rest.trials()) == 5 * 3 * 18
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
    longer = make(whole.estimate_s - 10.0 * 2.5 * 72, rounds=10)  # two and a half rounds are too many
    assert len(longer.rounds) == 10
    assert longer.estimate_s == whole.estimate_s - 10.0 * 3 * 72
    assert longer.dropped == ["rounds 8 to 10, unless cases settled early leave the time"]
    shorter = make(800.0, rounds=10)
    assert len(shorter.rounds) == 3 and "rounds 4 to 10" in shorter.dropped


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90.0), ("20m", 1200.0), ("2h", 7200.0), ("15", 900.0), ("none", None)]
)
def test_budgets(text: str, seconds: float | None) -> None:
    assert parse_budget(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "0m", "-5m", "20 minutes"])
def test_bad_budgets_are_one_sentence(text: str) -> None:
    with pytest.raises(UserError, match="write 90s, 20m, 2h or none"):
        parse_budget(text)
