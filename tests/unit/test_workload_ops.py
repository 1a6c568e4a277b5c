"""ops: work and traffic by hand, and each operation of PyTorch's file against NumPy."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pytest

from harness.workloads.ops.spec import PRESETS, SPEC, Preset
from tests.requirement import require

HAS_TORCH = importlib.util.find_spec("torch") is not None


def test_work_and_traffic_by_hand() -> None:
    assert SPEC.flops(Preset("matmul", width=3), 5, "call") == 2 * 5 * 3 * 3
    assert SPEC.flops(Preset("conv2d", side=4, channels=2), 5, "call") == 2 * 5 * 16 * 9 * 4
    assert SPEC.flops(Preset("attention", width=6, length=3, heads=2), 5, "call") == 5 * (2 * 2 * 3 * 3 * 6)
    assert SPEC.flops(Preset("softmax"), 5, "call") == 0
    assert SPEC.traffic is not None
    assert SPEC.traffic(Preset("matmul", width=3), 5, "call") == 4 * (5 * 3 + 3 * 3 + 5 * 3)
    assert SPEC.traffic(Preset("sum", width=3), 5, "call") == 4 * (5 * 3 + 5)
    assert SPEC.traffic(Preset("top_k", width=3, kept=2), 5, "call") == 4 * (5 * 3 + 5 * 2)
    assert SPEC.traffic(Preset("gather", width=3), 5, "call") == 4 * (5 * 3 + 5 * 3) + 8 * 5 * 3
    looked_up = SPEC.traffic(Preset("embedding", width=3, rows=100), 5, "call")
    assert looked_up == 4 * (5 * 3 + 5 * 3) + 8 * 5  # whatever the table holds beside


def test_a_step_is_one_call_whatever_its_batch() -> None:
    for preset in PRESETS.values():
        work = SPEC.work("call", preset)
        assert (work.unit, work.units(preset, 1), work.units(preset, 4096)) == ("calls", 1, 1)


def by_hand(preset: Preset, weights: dict[str, np.ndarray], given: dict[str, np.ndarray]) -> np.ndarray:
    w = {name: array.astype(np.float64) for name, array in weights.items()}
    x = given.get("x", np.zeros(0))
    match preset.operation:
        case "matmul":
            return np.asarray(x @ given["y"])
        case "conv2d":
            image = np.pad(given["image"], ((0, 0), (1, 1), (1, 1), (0, 0)))
            side = preset.side
            taps = [
                image[:, i : i + side, j : j + side] @ w["layer.kernel"][i, j]
                for i in range(3)
                for j in range(3)
            ]
            return np.sum(taps, axis=0)
        case "attention":
            heads = []
            for one in np.split(np.arange(preset.width), preset.heads):
                q, k, v = (given[name][..., one] for name in "qkv")
                scores = np.exp(q @ k.swapaxes(1, 2) / np.sqrt(len(one)))
                heads.append(scores / scores.sum(-1, keepdims=True) @ v)
            return np.concatenate(heads, -1)
        case "layer_norm":
            centred = x - x.mean(-1, keepdims=True)
            scale = np.sqrt((centred**2).mean(-1, keepdims=True) + preset.epsilon)
            return np.asarray(centred / scale * w["layer.gamma"] + w["layer.beta"])
        case "softmax":
            return np.asarray(np.exp(x) / np.exp(x).sum(-1, keepdims=True))
        case "elementwise":
            return np.asarray((x * np.tanh(x) + 0.5) / (1 + np.exp(-x)) - x**2 / 4)
        case "embedding":
            return np.asarray(w["layer.embeddings"][given["tokens"]])
        case "sort":
            return np.sort(x)
        case "top_k":
            return np.asarray(np.sort(x)[:, ::-1][:, : preset.kept])
        case "sum":
            return np.asarray(x.sum(-1))
        case "gather":
            return np.take_along_axis(x, given["index"], -1)


@pytest.mark.frameworks
@pytest.mark.parametrize("operation", PRESETS)
def test_pytorchs_file_is_the_operation_by_hand(operation: str) -> None:
    """The other frameworks' files are held to PyTorch's by the gate."""
    require("frameworks", HAS_TORCH, "torch is not installed")
    from harness import frameworks
    from harness.gate.check import make_job
    from harness.record import Case, Contender

    case = Case(workload="ops", preset=operation, task="call", batch=3, cores=1)
    contender = Contender(stack="torch", mode="eager")
    job = make_job(case, contender, PRESETS[operation], 3, "fp64")
    stack = frameworks.load("torch")
    stack.configure(case, contender, 0)
    import torch

    try:
        driver: Any = frameworks.build(job, stack)
        (made,) = driver.outputs(driver.run(1)).values()
    finally:
        torch.set_default_dtype(torch.float32)  # the driver's is float64, for the whole process
    given = {
        name: array[0].astype(np.float64) if array.dtype == np.float32 else array[0]
        for name, array in job.batches.items()
    }
    np.testing.assert_allclose(
        made, by_hand(PRESETS[operation], dict(job.weights), given), rtol=1e-10, atol=1e-12
    )
