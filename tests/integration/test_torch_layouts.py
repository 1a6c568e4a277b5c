"""PyTorch's kernels of every kind in the canonical layout, and back."""

from __future__ import annotations

import importlib.util
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.requirement import require

pytestmark = pytest.mark.frameworks


def made() -> tuple[dict[str, Any], dict[str, tuple[int, ...]]]:
    """Layers by name, and each one's tensors as the specification has them."""
    from torch import nn

    layers = {
        "dense": nn.Linear(2, 3),
        "line": nn.Conv1d(2, 3, 5),
        "plane": nn.Conv2d(2, 3, (4, 5)),
        "space": nn.Conv3d(2, 3, (4, 5, 6)),
        "back": nn.ConvTranspose2d(2, 3, 4),  # Keras keeps (H, W, out, in)
        "again": nn.GRU(2, 3),
        "attention": nn.MultiheadAttention(4, 2),
        "norm": nn.GroupNorm(1, 3),
        "root": nn.RMSNorm(3),
        "instance": nn.InstanceNorm2d(3, affine=True),
        "rows": nn.Embedding(7, 2),
    }
    shapes = {
        "dense.kernel": (2, 3),
        "line.kernel": (5, 2, 3),
        "plane.kernel": (4, 5, 2, 3),
        "space.kernel": (4, 5, 6, 2, 3),
        "back.kernel": (4, 4, 3, 2),
        "again.weight_ih_l0": (2, 9),
        "again.weight_hh_l0": (3, 9),
        "attention.in_proj_weight": (4, 12),
        "attention.in_proj_bias": (12,),
        "attention.out_proj.kernel": (4, 4),
        "norm.gamma": (3,),
        "norm.beta": (3,),
        "root.gamma": (3,),
        "instance.gamma": (3,),
        "instance.beta": (3,),
        "rows.embeddings": (7, 2),
    }
    biases = {f"{name}.bias": (3,) for name in ("dense", "line", "plane", "space", "back")}
    biases |= {"again.bias_ih_l0": (9,), "again.bias_hh_l0": (9,), "attention.out_proj.bias": (4,)}
    return layers, shapes | biases


def test_every_kernel_has_its_canonical_layout_and_comes_back_bit_for_bit() -> None:
    require("frameworks", importlib.util.find_spec("torch") is not None, "torch is not installed")
    from torch import nn

    from harness import frameworks
    from harness.record import Case, Contender
    from harness.workloads import Job
    from harness.workloads.specification import SGD, Gate, Input, Tensor, Uniform, Work, Workload

    layers, shapes = made()
    specified = {name: Tensor(shape=shape, a=0.1) for name, shape in shapes.items()}
    x = Input(("B", 1), Uniform(1.0))
    workload = Workload(
        name="layers",
        presets={"one": None},
        inputs={"x": x},
        tensors=lambda preset: specified,
        tasks={"infer": Work(inputs=("x",), outputs=("y",), unit="samples")},
        flops=lambda preset, batch, task: 0,
        optimizer=SGD(lr=0.1),
        gate=Gate(sizes={}),
    )
    draw = np.random.Generator(np.random.Philox(1))
    weights = {name: draw.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    case = Case(workload="layers", preset="one", task="infer", batch=1, cores=1)
    contender = Contender(stack="torch", mode="eager")
    stack = frameworks.load("torch")
    stack.configure(case, contender, 0)
    job = Job(
        workload=workload,
        file=SimpleNamespace(model=lambda preset: nn.ModuleDict(layers)),
        preset=None,
        batch=1,
        precision="fp32",
        case=case,
        contender=contender,
        weights=weights,
        batches={"x": np.zeros((1, 1, 1), np.float32)},
    )
    held = frameworks.build(job, stack).state().tensors
    assert {name: array.shape for name, array in held.items()} == shapes
    assert all(np.array_equal(held[name], weights[name]) for name in shapes)
    # the same numbers in the layer itself, in PyTorch's own order
    assert np.array_equal(layers["line"].weight[2, 1].detach().numpy(), weights["line.kernel"][:, 1, 2])
    assert np.array_equal(
        layers["again"].weight_hh_l0[5].detach().numpy(), weights["again.weight_hh_l0"][:, 5]
    )
