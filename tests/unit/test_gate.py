"""The gate: right work passes with room, and every deliberate fault is caught and named by the part that should."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from harness import frameworks, workloads
from harness.frameworks.numpy.stack import NumpyStack
from harness.gate import check as gate
from harness.gate import reference
from harness.gate.parts import Part
from harness.record import Case, Contender, Task
from harness.workloads import Job
from tests.unit.numpy_mlp import NumpyMlp

ROOT_FOLDER = workloads.FOLDER


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The whole gate on a NumPy mlp with a fault."""
    monkeypatch.setattr(workloads, "has_file", lambda workload, framework: True)
    monkeypatch.setattr(workloads, "file", lambda workload, framework: None)
    stack = NumpyStack(frameworks.info("numpy"))
    contender = Contender(stack="numpy", mode="eager")

    def _check(task: Task, fault: str = "", batch: int = 32) -> list[Part]:
        case = Case(workload="mlp", preset="smoke", task=task, batch=batch, cores=1)

        def build(job: Job, stack: Any) -> NumpyMlp:
            driver = NumpyMlp(job, fault)
            driver.run(2)  # the gate must not depend on a fresh driver
            return driver

        return gate.check(case, contender, stack, build)

    return _check


def failures(parts: list[Part]) -> set[tuple[str, str]]:
    return {(part.name, diff.what.split(" ")[0]) for part in parts for diff in part.diffs if not diff.passed}


def test_right_training_passes_every_part_with_room(check: Any) -> None:
    parts = check("train")
    assert not failures(parts)
    assert [part.name for part in parts] == [
        *("data", "logic", "optimizer", "state"),
        *("precision", "optimizer", "state", "shape"),
    ]
    logic = parts[1].diffs
    assert {diff.what for diff in logic} >= {"loss 5", "gradients dense.0.kernel", "updates dense.2.bias"}
    assert max(diff.value for diff in logic if diff.value is not None) < 1e-11
    precision = [diff for diff in parts[4].diffs if diff.tolerance]
    assert all(diff.value is not None and diff.value <= diff.tolerance / 2 for diff in precision)


def test_right_inference_passes(check: Any) -> None:
    parts = check("infer")
    assert not failures(parts)
    assert [part.name for part in parts] == ["data", "logic", "precision", "shape"]


@pytest.mark.parametrize(
    ("fault", "part", "what"),
    [
        ("wrong flatten order", "logic", "loss"),
        ("learning rate 1 % off", "logic", "updates"),
        ("sum taken for mean", "logic", "gradients"),
        ("wrong momentum", "logic", "updates"),
        ("momentum kept over reset", "logic", "loss"),
        ("one bit off", "precision", "weights"),
        ("half of the steps", "state", "steps"),
        ("half of the steps, and it counts them all", "state", "steps"),
    ],
)
def test_faults_in_training_are_caught(check: Any, fault: str, part: str, what: str) -> None:
    assert (part, what) in failures(check("train", fault))


def test_the_first_part_that_fails_is_the_last(check: Any) -> None:
    parts = check("train", "wrong flatten order")
    assert parts[-1].name == "logic" and any(not diff.passed for diff in parts[-1].diffs)


def test_an_optimizer_without_the_declared_slots_is_named(check: Any) -> None:
    failed = [diff for part in check("train", "another optimizer") for diff in part.diffs if not diff.passed]
    assert [(diff.what, diff.value) for diff in failed] == [
        (
            "weights without the optimizer's velocity",
            len(workloads.get("mlp").tensors(workloads.get("mlp").presets["smoke"])),
        )
    ]


@pytest.mark.parametrize("fault", ["wrong flatten order", "half of the steps"])
def test_faults_in_inference_are_caught(check: Any, fault: str) -> None:
    assert failures(check("infer", fault))


def test_a_shape_that_nobody_computed_is_said(check: Any) -> None:
    last = check("train", batch=5)[-1]
    assert last.name == "shape" and not last.diffs
    assert last.skipped is not None and "framebench reference mlp" in last.skipped


def test_losses_after_a_choice_has_tipped_are_left_out(check: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = reference.shape

    def tipped(wrong: int) -> Any:
        def shape(*asked: Any) -> reference.Shape:
            one = stored(*asked)
            losses = [loss + (0.1 if step >= wrong else 0.0) for step, loss in enumerate(one.losses)]
            return msgspec.structs.replace(one, losses=losses, sure={"fp32": 4})

        return shape

    monkeypatch.setattr(reference, "shape", tipped(4))
    parts = check("train")
    assert not failures(parts)
    last = parts[-1]
    assert [one.what for one in last.diffs] == [*(f"loss {step}" for step in range(1, 5)), "steps counted"]
    assert last.left_out == len(stored(workloads.get("mlp"), "smoke", "train", 32, "corrected").losses) - 4

    monkeypatch.setattr(reference, "shape", tipped(3))
    assert failures(check("train")) == {("shape", "loss")}


def test_outputs_without_a_tolerance_are_counted_as_left_out(
    check: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As TF32 has none for which boxes a detector proposes: nobody may take that for agreement."""
    assert [part.left_out for part in check("infer")] == [0, 0, 0, 0]

    def without(made: Any) -> Any:
        def changed(*arguments: Any) -> Any:
            found = made(*arguments)
            return msgspec.structs.replace(found, tolerances={**found.tolerances, "fp32": {}})

        return changed

    monkeypatch.setattr(reference, "entry", without(reference.entry))
    monkeypatch.setattr(reference, "shape", without(reference.shape))
    parts = check("infer")
    assert not failures(parts)
    assert [(part.name, part.left_out) for part in parts][2:] == [("precision", 1), ("shape", 1)]


def test_a_stale_reference_says_so_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    workload = workloads.get("mlp")
    changed = msgspec.structs.replace(workload.optimizer, lr=0.5)
    fields = {name: getattr(workload, name) for name in workload.__dataclass_fields__}
    stale = type(workload)(**(fields | {"optimizer": changed}))
    with pytest.raises(
        reference.MissingReference,
        match=r"mlp/reference.json: smoke/train is stale.*framebench reference mlp",
    ):
        reference.entry(stale, "smoke", False, "train", "corrected")


def test_stored_references_are_of_todays_specifications() -> None:
    for name in workloads.names():
        workload = workloads.get(name)
        stored = reference.read(name)
        assert stored.entries, name
        for key, entry in stored.entries.items():
            preset, _, rest = key.partition("/")
            given = reference.formed(workload, preset, "smooth" in rest)
            assert entry.config_sha256 == workload.config_sha256(given), f"{name}/{key}"
        for key, shape in stored.shapes.items():
            preset = workload.presets[key.partition("/")[0]]
            assert shape.config_sha256 == workload.config_sha256(preset), f"{name}/{key}"
