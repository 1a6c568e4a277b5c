"""What follows for a claim from measured ratios: range, noise, ranks, rounds, and which results speak for a side."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from framebench import dataset
from framebench.dataset import Dataset
from framebench.dataset.claims import Claim, Extremes, Pair, Side, judge
from framebench.records import store
from harness.record import Contender, Record
from tests.record_factory import CASE, MLP_CASE, make_trials

A = Contender(stack="torch", mode="eager")
B = Contender(stack="tensorflow", mode="eager")
B_FASTER = Contender(stack="tensorflow", mode="compiled", variant="graph")
C = Contender(stack="jax", mode="compiled")
TWIN = msgspec.structs.replace(A, twin=True)


def of(stack: str) -> Side:
    return lambda contender: contender.stack == stack


def load(folder: Path, records: list[Record]) -> Dataset:
    for record in records:
        store.write(record, folder)
    return dataset.load([folder])


FASTER = Claim((Pair(of("torch"), of("tensorflow")),))


def test_the_fastest_of_a_side_speaks_for_it(tmp_path: Path) -> None:
    times = {A.slug: 60e6, B.slug: 90e6, B_FASTER.slug: 40e6}
    judgement = judge(FASTER, load(tmp_path, make_trials([A, B, B_FASTER], step_ns=times)))
    (finding,) = judgement.findings
    assert (finding.faster.contender, finding.slower.contender) == (A, B_FASTER)
    assert 0.6 < finding.measured.ratio < 0.7 and judgement.verdict == "does not hold"


def test_a_spread_is_the_fastest_over_the_slowest_side_at_their_best(tmp_path: Path) -> None:
    times = {A.slug: 60e6, B.slug: 900e6, B_FASTER.slug: 40e6, C.slug: 80e6}
    claim = Claim((Extremes((of("torch"), of("tensorflow"), of("jax"))),), low=1.5, high=2.5)
    judgement = judge(claim, load(tmp_path / "all", make_trials([A, B, B_FASTER, C], step_ns=times)))
    (finding,) = judgement.findings
    assert (finding.faster.contender, finding.slower.contender) == (B_FASTER, C)
    assert judgement.verdict == "holds"
    missing = judge(claim, load(tmp_path / "two", make_trials([A, B], step_ns=times)))
    assert missing.findings == [] and missing.verdict == "not measured"


def test_one_case_in_which_it_fails_is_enough(tmp_path: Path) -> None:
    good = make_trials([A, B], [CASE], step_ns={A.slug: 40e6, B.slug: 80e6})
    bad = make_trials([A, B], [MLP_CASE], step_ns={A.slug: 80e6, B.slug: 40e6}, seed=8)
    assert judge(FASTER, load(tmp_path / "good", good)).verdict == "holds"
    judgement = judge(FASTER, load(tmp_path / "both", good + bad))
    assert judgement.verdict == "does not hold"
    assert (judgement.count("holds"), judgement.count("does not hold")) == (1, 1)


def test_a_noisy_host_decides_less(tmp_path: Path) -> None:
    times = {A.slug: 70e6, B.slug: 80e6}
    quiet = make_trials([A, B], step_ns=times)
    assert judge(FASTER, load(tmp_path / "quiet", quiet)).verdict == "holds"
    noisy = make_trials([A, TWIN], [MLP_CASE], spread=0.2, seed=9)  # one contender under two names, far apart
    judgement = judge(FASTER, load(tmp_path / "noisy", quiet + noisy))
    assert judgement.findings[0].equal_within > 0.1
    assert judgement.verdict == "undecided"


def test_what_is_not_ranked_or_has_no_interval_gives_no_verdict(tmp_path: Path) -> None:
    times = {A.slug: 40e6, B.slug: 80e6}
    ungated = make_trials([A, B], step_ns=times, kinds=("timing",))
    judgement = judge(FASTER, load(tmp_path / "ungated", ungated))
    assert [one.outcome for one in judgement.findings] == ["not ranked"]
    assert judgement.verdict == "not measured"
    assert judge(FASTER, load(tmp_path / "one", make_trials([A, B], step_ns=times, rounds=1))).findings == []


def test_phases_and_other_cases_take_no_part(tmp_path: Path) -> None:
    times = {A.slug: 40e6, B.slug: 80e6}
    phase = msgspec.structs.replace(CASE, workload="fasterrcnn", task="rpn")
    data = load(tmp_path, make_trials([A, B], [phase, MLP_CASE], step_ns=times))
    assert [one.case.case for one in judge(FASTER, data).findings] == [MLP_CASE]
    other = Claim(FASTER.sides, fits=lambda case: case.workload == "lstm")
    assert judge(other, data).findings == []


@pytest.mark.parametrize("twin_first", [True, False])
def test_a_twin_speaks_for_nobody(twin_first: bool, tmp_path: Path) -> None:
    times = {A.slug: 60e6, B.slug: 80e6}
    order = [TWIN, A, B] if twin_first else [A, B, TWIN]
    (finding,) = judge(FASTER, load(tmp_path, make_trials(order, step_ns=times))).findings
    assert finding.faster.contender == A
