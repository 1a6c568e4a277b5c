"""What the self-test concludes, on records whose truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from framebench.campaign import suites
from framebench.campaign.slower_sampler import slowed
from framebench.commands.selftest import report, summary
from framebench.dataset.selftest_checks import FAULTS
from framebench.records import store
from framebench.records.selftest_document import OBSERVER_CHECK, Check
from framebench.selftest import judging
from framebench.selftest.campaigns import Trials
from harness.record import Block, Case, Contender, Metric, ObserverEffect, Outcome, Record
from tests.record_factory import make_failed, make_record, make_trials, telemetry
from tests.unit.selftest_documents import selftest

ROOT = Path(__file__).parents[2]
CASE = Case(workload="planted", preset="selftest", task="infer", batch=1, cores=1)
BASE = Contender(stack="numpy", mode="eager")
TWIN = msgspec.structs.replace(BASE, twin=True)
PLUS = [msgspec.structs.replace(BASE, variant=f"plus{percent}") for percent in (1, 2, 3, 5)]


def campaigns(count: int, contenders: Sequence[Contender], rounds: int, **changes: Any) -> list[list[Record]]:
    """``count`` campaigns of the NumPy stack; ``spread`` and ``step_ns`` are the truth."""
    return [
        make_trials(
            contenders, (CASE,), rounds, seed=100 + number, kinds=("timing",), executor="system", **changes
        )
        for number in range(count)
    ]


def answers(checks: Sequence[Check]) -> dict[str, str]:
    return {check.name: check.answer for check in checks}


def test_equals_are_called_equal() -> None:
    found, check = judging.false_winners(campaigns(100, (BASE, TWIN), 3, spread=0.01))
    assert (found.comparisons, found.rounds) == (100, 3)
    assert found.false_winners <= 5
    assert check.answer in ("pass", "undecided")  # a hundred comparisons pass 5 % only without a single one
    assert found.spread_ln == pytest.approx(0.01, rel=0.25)


def test_a_twin_that_is_slower_every_time_fails() -> None:
    """The noise of the host is learnt from such pairs too, and must not swallow them: half are unlike."""
    honest = campaigns(60, (BASE, TWIN), 3, spread=0.0005)
    biased = [
        [slower(record, 1.05) if record.contender.twin else record for record in records]
        for records in campaigns(60, (BASE, TWIN), 3, spread=0.0005)
    ]
    _, check = judging.false_winners([*honest, *biased[:3]])
    assert check.answer in ("pass", "undecided")
    noise = judging._noise(honest)
    judged = [case for records in biased for case in judging._judged(records, noise)]
    verdicts = [row.verdict for case in judged for row in case.rows if row.result.contender.twin]
    assert set(verdicts) == {"slower"}


def slower(record: Record, factor: float) -> Record:
    assert record.timing is not None
    blocks = [
        msgspec.structs.replace(block, wall_ns=int(block.wall_ns * factor)) for block in record.timing.blocks
    ]
    return msgspec.structs.replace(record, timing=msgspec.structs.replace(record.timing, blocks=blocks))


def test_planted_slow_downs_on_a_quiet_host_are_found_as_predicted() -> None:
    times = {BASE.slug: 2e6} | {entrant.slug: 2e6 * (1 + int(entrant.variant[4:]) / 100) for entrant in PLUS}
    runs = campaigns(20, (BASE, TWIN, *PLUS), 10, spread=0.004, step_ns=times)
    spread = judging.residuals(campaigns(50, (BASE, TWIN), 3, spread=0.004, step_ns=times))
    rows, checks = judging.planted(runs, spread)
    found = {(row.percent, row.rounds): row for row in rows}
    assert set(found) == {(percent, rounds) for percent in (1, 2, 3, 5) for rounds in (5, 10)}
    assert found[1, 10].found <= 2  # 1 % is what counts as equal
    assert found[3, 10].found == found[5, 5].found == 20
    assert all(row.campaigns == 20 and row.called_faster == 0 for row in rows)
    assert found[3, 10].predicted > 0.95
    assert set(answers(checks).values()) <= {"pass", "undecided"}
    assert answers(checks)["planted: never called faster"] == "pass"


def test_a_contender_that_hides_its_extra_work_fails() -> None:
    """Five per cent were declared and none are there: the share found is not the predicted one."""
    times = {BASE.slug: 2e6} | {entrant.slug: 2e6 for entrant in PLUS}
    runs = campaigns(20, (BASE, TWIN, *PLUS), 10, spread=0.004, step_ns=times)
    spread = judging.residuals(campaigns(50, (BASE, TWIN), 3, spread=0.004, step_ns=times))
    _, checks = judging.planted(runs, spread)
    assert answers(checks)["planted 5 %, 10 rounds: found as often as predicted"] == "fail"
    assert answers(checks)["planted 3 % is found in 10 rounds"] == "fail"


def test_on_a_noisy_host_the_three_per_cent_are_not_asked_for() -> None:
    times = {BASE.slug: 2e6} | {entrant.slug: 2e6 * (1 + int(entrant.variant[4:]) / 100) for entrant in PLUS}
    runs = campaigns(6, (BASE, TWIN, *PLUS), 10, spread=0.05, step_ns=times)
    spread = judging.residuals(campaigns(50, (BASE, TWIN), 3, spread=0.05, step_ns=times))
    rows, checks = judging.planted(runs, spread)
    three = next(check for check in checks if check.name == "planted 3 % is found in 10 rounds")
    assert three.answer == "undecided"
    assert "trials spread 5" in three.found
    assert all(row.predicted < 0.3 for row in rows if row.percent == 1)


def observed(ratio: float, spread: float, seed: int) -> Record:
    """A trial whose step takes ``ratio`` times as long with the sampler."""
    random = np.random.default_rng(seed)

    def blocks(factor: float) -> list[Block]:
        walls = 1e8 * factor * np.exp(random.normal(0.0, spread, 6))
        return [Block(steps=50, wall_ns=int(wall), cpu_ns=int(wall), wait_ns=0) for wall in walls]

    record = make_record(executor="system", contender=BASE, case=CASE)
    assert record.timing is not None
    effect = ObserverEffect(first="on", on=blocks(ratio), off=blocks(1.0))
    return msgspec.structs.replace(record, timing=msgspec.structs.replace(record.timing, observer=effect))


@pytest.mark.parametrize(
    ("ratio", "spread", "answer"),
    [(1.0, 0.003, "pass"), (1.05, 0.003, "fail"), (1.0, 0.2, "undecided"), (1.011, 0.02, "undecided")],
)
def test_the_observer_effect_is_judged_by_its_interval(ratio: float, spread: float, answer: str) -> None:
    found, check = judging.observer([observed(ratio, spread, seed) for seed in range(30)])
    assert found is not None and found.pairs == 30
    assert found.low is not None and found.high is not None and found.low < ratio < found.high
    assert check.answer == answer


def test_no_observer_pair_is_a_failure_and_no_ratio() -> None:
    found, check = judging.observer([make_record(executor="system", contender=BASE, case=CASE)])
    assert found is None and check.answer == "fail"


def test_the_samplers_cost_is_judged_by_its_interval() -> None:
    def costing(share: float) -> list[Record]:
        return [
            make_record(
                telemetry=msgspec.structs.replace(
                    telemetry(), sampler_cpu_ns=int(3e9 * share * (1 + 0.01 * (n % 3)))
                )
            )
            for n in range(6)
        ]

    assert judging.sampler_cost(costing(0.002))[1].answer == "pass"
    assert judging.sampler_cost(costing(0.02))[1].answer == "fail"
    assert judging.sampler_cost([make_record()])[1].answer == "undecided"


def test_a_fault_that_no_canary_noticed_fails() -> None:
    sound = make_record(executor="system", contender=BASE, case=CASE)
    refused = {
        variant: make_failed("invalid", f"canary failed: {canary}", contender=BASE, case=CASE)
        for variant, canary in FAULTS.items()
    }
    trials = Trials(sound, refused, sound, [], [], [], [], None)
    assert set(answers(judging.canaries(trials)).values()) == {"pass"}
    unnoticed = trials._replace(faulty=refused | {"tf32": sound})
    assert answers(judging.canaries(unnoticed))["precision canary refuses tf32"] == "fail"
    wrong = make_failed("invalid", "canary failed: threads", contender=BASE, case=CASE)
    assert (
        answers(judging.canaries(trials._replace(faulty=refused | {"nowait": wrong})))[
            "sync canary refuses nowait"
        ]
        == "fail"
    )
    broken = trials._replace(sound=msgspec.structs.replace(sound, outcome=Outcome(status="crashed")))
    assert answers(judging.canaries(broken))["canaries pass a sound stack"] == "fail"


def test_the_document_is_stored_read_and_said(tmp_path: Path) -> None:
    document = selftest()
    path = store.write_selftest(document, tmp_path)
    loaded = store.load([tmp_path])
    assert loaded.selftests == [(path, document)] and not loaded.broken
    assert not store.load([tmp_path]).faults
    lines = report(document)
    assert "during 7 of 1850 trials" in lines[-1]
    assert lines[0].startswith("pass ")
    assert summary(document.checks) == "3 checks: 1 pass, 1 fail, 1 undecided"
    path.write_text(path.read_text().replace('"selftest_version": 1', '"selftest_version": 9'))
    assert "selftest_version is 9" in str(store.load([tmp_path]).broken[0])


def test_trials_that_others_disturbed_are_counted() -> None:
    quiet = make_record(executor="system", contender=BASE, case=CASE)
    assert quiet.telemetry is not None
    metrics = quiet.telemetry.metrics | {
        "run_queue_wait": Metric(unit="ns", delta=2e9),
        "host_busy": Metric(unit="ns", delta=9e9),
        "cpu_time": Metric(unit="ns", delta=5.4e9),
    }
    busy = msgspec.structs.replace(quiet, telemetry=msgspec.structs.replace(quiet.telemetry, metrics=metrics))
    assert judging.disturbed([quiet, busy, quiet]) == 1


def test_a_document_in_the_wrong_place_is_named(tmp_path: Path) -> None:
    path = store.write_selftest(selftest(), tmp_path)
    moved = path.with_stem("another")
    path.rename(moved)
    assert "selftest_id says" in str(store.load([tmp_path]).broken[0])


def test_a_host_that_watching_disturbs_is_watched_less_often(tmp_path: Path) -> None:
    suite = suites.load(ROOT, "cpu")
    assert slowed(suite, tmp_path, "h") == (suite, None)
    store.write_selftest(selftest(host_id="h"), tmp_path)  # its observer effect failed
    slower_suite, why = slowed(suite, tmp_path, "h")
    assert slower_suite.protocol == msgspec.structs.replace(suite.protocol, telemetry_hz=2.0)
    assert why is not None and "2 Hz" in why and "1.001" in why
    assert slowed(suite, tmp_path, "another host") == (suite, None)
    quiet = [Check(name=OBSERVER_CHECK, answer="undecided", bound="", found="")]
    store.write_selftest(selftest(host_id="h", selftest_id="7" + "z" * 25, checks=quiet), tmp_path)
    assert slowed(suite, tmp_path, "h") == (suite, None)  # the newest decides


@pytest.mark.parametrize(
    ("disturbed", "spread", "said"), [(1, 0.088, True), (900, 0.088, False), (1, 0.009, False)]
)
def test_a_spread_that_no_counter_explains_is_said(disturbed: int, spread: float, said: bool) -> None:
    plain = selftest()
    noisy = msgspec.structs.replace(plain.false_winners, spread_ln=spread)
    lines = report(selftest(disturbed=disturbed, false_winners=noisy))
    assert any("outside this machine's counters" in line for line in lines) is said
