"""Which cases are timed against well-known models, and what is said of the others."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from benchmarks.against_native import cases, refusal, theirs
from benchmarks.well_known import Known, Work
from harness import workloads
from harness.gate.check import timed_job
from harness.record import Case, Contender


def test_another_batch_makes_one_case_of_those_that_the_suite_tells_apart_by_it() -> None:
    suites = cases("gpu", "*", None)
    found = cases("gpu", "*", 2)
    assert {(case.workload, case.task) for case in found} == {(case.workload, case.task) for case in suites}
    assert len(found) == len({(case.workload, case.task) for case in found}) < len(suites)
    assert {(case.batch, case.device) for case in found} == {(2, "cpu")}


CASE = Case(workload="mlp", preset="smoke", task="train", batch=2, cores=1)


def test_what_they_do_not_have_is_said() -> None:
    never = Known(build=list, says="one size alone", fits=lambda preset: False)
    assert refusal(CASE, SimpleNamespace(MODELS={"mlp": list}, __name__="made_up")) is None
    assert refusal(CASE, SimpleNamespace(MODELS={}, __name__="made_up")) == "no such model in made_up"
    refused = refusal(CASE, SimpleNamespace(MODELS={"mlp": never}, __name__="made_up"))
    assert refused == "not this preset: one size alone"


def test_other_work_is_never_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    looped = SimpleNamespace(loop=lambda job, model: model)
    monkeypatch.setitem(sys.modules, "benchmarks.native.torch", looped)
    monkeypatch.setattr(workloads, "file", lambda *names: None)
    job = timed_job(CASE, Contender(stack="torch", mode="eager"))
    other = SimpleNamespace(
        MODELS={"mlp": Known(build=list, says="made up")},
        work=lambda job, build: Work(parameters=1, flops=None),
        __name__="made_up",
    )
    with pytest.raises(
        SystemExit, match="made_up: mlp is other work than specified: it has 1 trained parameters"
    ):
        theirs(job, "torch", other)
