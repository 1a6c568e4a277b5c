"""The gate: right work passes, and every deliberate fault is caught and named."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from harness import parity, workloads
from harness.frameworks.numpy.stack import NumpyStack
from harness.record import Case, Contender, Parity, Task
from harness.workloads import Job
from harness.workloads.mlp import reference
from tests.unit.numpy_mlp import NumpyMlp


def check(task: Task, fault: str = "") -> Parity:
    spec = workloads.get("mlp")
    expected = reference.expected("smoke", task)
    weights = spec.weights("smoke", expected.seed)
    batches = spec.batches("smoke", expected.batch, expected.seed)
    case = Case(workload="mlp", preset="smoke", task=task, batch=expected.batch, cores=1)
    work = NumpyMlp(Job(spec, case, Contender(stack="numpy", mode="eager"), weights, batches), fault)
    work.run(2)  # the gate must not depend on a fresh work
    return parity.check(work, NumpyStack(), expected, weights, spec.learning_rate, task)


def failed(result: Parity) -> set[str]:
    return {diff.what.partition(" ")[0] for diff in result.diffs if not diff.passed}


@pytest.mark.parametrize("task", ["train", "infer"])
def test_right_work_passes_with_room(task: Task) -> None:
    result = check(task)
    assert result.passed
    assert all(diff.value is not None and diff.value <= diff.tolerance / 3 for diff in result.diffs)
    names = {diff.what for diff in result.diffs}
    expected = {"logits"} if task == "infer" else {"loss", "gradient dense1.kernel", "update dense3.bias"}
    assert names >= expected | {"weights round-trip"}


@pytest.mark.parametrize(
    ("fault", "caught"),
    [
        ("wrong flatten order", {"loss", "gradient", "update"}),
        ("learning rate 1 % off", {"gradient", "update"}),
        ("sum taken for mean", {"gradient", "update"}),
        ("wrong momentum", {"update"}),
        ("momentum kept over reset", {"gradient", "update"}),
        ("one bit off", {"weights"}),
    ],
)
def test_faults_in_training_are_caught(fault: str, caught: set[str]) -> None:
    result = check("train", fault)
    assert not result.passed
    assert failed(result) == caught


def test_wrong_flatten_order_is_caught_in_inference() -> None:
    assert failed(check("infer", "wrong flatten order")) == {"logits"}


def test_projections_estimate_the_relative_error() -> None:
    random = np.random.default_rng(0)
    for size in (10, 1001, 200_000):
        exact = random.normal(size=size)
        summary = parity.summarise(exact, "tensor")
        assert parity.rel_l2(exact, "tensor", summary) == 0.0
        error = random.normal(size=size)
        error *= 1e-4 * np.linalg.norm(exact) / np.linalg.norm(error)
        assert parity.rel_l2(exact + error, "tensor", summary) == pytest.approx(1e-4, rel=0.4)


def test_projections_depend_on_name_and_not_on_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    array = np.random.default_rng(1).normal(size=(7, 143))
    summary = parity.summarise(array, "a")
    assert summary.shape == [7, 143]
    assert parity.summarise(array, "b").projections != summary.projections
    monkeypatch.setattr(parity, "_CHUNK", 64)
    np.testing.assert_allclose(
        parity.summarise(array, "a").projections, summary.projections, rtol=1e-9, atol=1e-12
    )


def test_unfit_values_are_infinitely_far() -> None:
    summary = parity.summarise(np.ones(4), "a")
    assert parity.rel_l2(np.ones(5), "a", summary) == math.inf
    assert parity.rel_l2(np.array([1.0, np.nan, 1.0, 1.0]), "a", summary) == math.inf
    zero = parity.summarise(np.zeros(4), "a")
    assert parity.rel_l2(np.zeros(4), "a", zero) == 0.0
    assert parity.rel_l2(np.ones(4), "a", zero) == math.inf


def test_references_survive_storage(tmp_path: Path) -> None:
    stored = {"smoke/infer": reference.expected("smoke", "infer")}
    parity.write_references(tmp_path / "r.json", stored)
    assert parity.read_references(tmp_path / "r.json") == stored
