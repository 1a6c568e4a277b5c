"""control_flow: its trees and paths, and PyTorch's file against the same models written out in NumPy."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pytest

from harness.workloads.control_flow.spec import PRESETS, SPEC, Preset
from tests.requirement import require

HAS_TORCH = importlib.util.find_spec("torch") is not None


def test_every_joint_makes_one_of_two_neighbours_and_the_last_makes_the_whole() -> None:
    preset = PRESETS["tree"]
    made = SPEC.batches(preset, 5, 0)
    assert len(set(made["joints"].tolist())) > 4  # another path from batch to batch
    for one, sample in np.ndindex(len(made["joints"]), 5):
        spans = {leaf: (leaf, leaf) for leaf in range(int(made["joints"][one]) + 1)}
        for joint in range(int(made["joints"][one])):
            left, right = (spans.pop(int(made[side][one, sample, joint])) for side in ("left", "right"))
            assert left[1] + 1 == right[0]
            spans[preset.leaves + joint] = (left[0], right[1])
        assert list(spans.values()) == [(0, int(made["joints"][one]))]


def test_flops_are_what_the_shortest_path_needs() -> None:
    assert SPEC.flops(Preset("early_exit", width=4, blocks=9, classes=3), 5, "infer") == 2 * 5 * 4 * (4 + 3)
    assert SPEC.flops(Preset("converge", width=4, classes=3), 5, "infer") == 2 * 5 * 4 * (4 + 3)
    assert SPEC.flops(Preset("tree", width=4, leaves=9, classes=3), 5, "infer") == 2 * 5 * (3 * 8 * 4 + 4 * 3)


def by_hand(preset: Preset, w: dict[str, np.ndarray], given: dict[str, np.ndarray]) -> tuple[np.ndarray, int]:
    """Logits (B, classes), and how many blocks, passes or joints were taken."""

    def dense(x: np.ndarray, name: str) -> np.ndarray:
        return np.asarray(x @ w[f"{name}.kernel"] + w[f"{name}.bias"])

    taken = 0
    if preset.form == "early_exit":
        x = given["x"]
        while taken < preset.blocks and (x**2).mean() < preset.enough:
            x = x + np.tanh(dense(x, f"blocks.{taken}"))
            taken += 1
        return dense(x, "classifier"), taken
    if preset.form == "converge":
        z, change = np.zeros_like(given["x"]), np.inf
        while change >= preset.enough and taken < preset.passes:
            new = np.tanh(dense(z, "layer") + given["x"])
            z, change, taken = new, np.abs(new - z).max(), taken + 1
        return dense(z, "classifier"), taken

    def node(sample: int, at: int) -> np.ndarray:
        if at < preset.leaves:
            return np.asarray(w["embedding.embeddings"][given["tokens"][sample, at]])
        sides = (node(sample, int(given[side][sample, at - preset.leaves])) for side in ("left", "right"))
        return np.tanh(dense(np.concatenate(list(sides)), "join"))

    root = preset.leaves + int(given["joints"]) - 1
    roots = np.stack([node(sample, root) for sample in range(len(given["tokens"]))])
    return dense(roots, "classifier"), int(given["joints"])


@pytest.mark.frameworks
@pytest.mark.parametrize("form", PRESETS)
def test_pytorchs_file_is_the_model_by_hand_on_every_path(form: str) -> None:
    """The other frameworks' files are held to PyTorch's by the gate."""
    require("frameworks", HAS_TORCH, "torch is not installed")
    import torch

    from harness import frameworks
    from harness.gate.check import make_job
    from harness.record import Case, Contender

    preset = PRESETS[form]
    case = Case(workload="control_flow", preset=form, task="infer", batch=3, cores=1)
    contender = Contender(stack="torch", mode="eager")
    job = make_job(case, contender, preset, 3, "fp64")
    stack = frameworks.load("torch")
    stack.configure(case, contender, 0)
    weights = {name: array.astype(np.float64) for name, array in job.weights.items()}
    paths = set()
    try:
        driver: Any = frameworks.build(job, stack)
        for step in range(len(job.batches[job.work.inputs[0]])):
            given = {name: array[step] for name, array in job.batches.items()}
            logits, taken = by_hand(preset, weights, given)
            made = driver.outputs(driver.run(1))
            np.testing.assert_allclose(made["logits"], logits, rtol=1e-9, atol=1e-12)
            assert "taken" not in made or made["taken"].tolist() == [taken] * 3
            paths.add(taken)
    finally:
        torch.set_default_dtype(torch.float32)  # the driver's is float64, for the whole process
    assert len(paths) > 3  # the data decide
