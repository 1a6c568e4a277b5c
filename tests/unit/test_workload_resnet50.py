"""resnet50: the known network at full size, its FLOPs, BatchNorm's statistics, and that its backbone stands alone."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pytest

from harness import frameworks, workloads
from harness.frameworks import Driver
from harness.record import Case, Contender, Task
from harness.workloads import Job
from harness.workloads.resnet50.spec import SPEC, blocks, convolutions, size_after
from tests.requirement import require

HAS_TORCH = importlib.util.find_spec("torch") is not None
SMOKE = SPEC.presets["smoke"]


def driver(task: Task, batch: int, smooth: bool = False) -> tuple[Driver, Job]:
    """The smoke preset in PyTorch, eager, float64."""
    require("frameworks", HAS_TORCH, "torch is not installed")
    contender = Contender(stack="torch", mode="eager")
    case = Case(workload="resnet50", preset="smoke", task=task, batch=batch, cores=1)
    preset = SMOKE._replace(smooth=smooth)
    weights, batches = SPEC.weights(preset, 0), SPEC.batches(preset, batch, 0)
    file = workloads.file("resnet50", "torch")
    job = Job(SPEC, file, preset, batch, "fp64", case, contender, weights, batches)
    stack = frameworks.load("torch")
    stack.configure(case, contender, 0)
    return frameworks.build(job, stack), job


def test_gpu_is_resnet_50() -> None:
    preset = SPEC.presets["gpu"]
    tensors = SPEC.tensors(preset)
    # Keras and torchvision give this number for their ResNet-50
    assert sum(int(np.prod(one.shape)) for one in tensors.values() if one.role == "weight") == 25_557_032
    # 53 convolutions, four of them shortcuts, and the classifier: the 50 layers of the name
    layers = [one.path for one in convolutions(preset)]
    assert len([path for path in layers if "shortcut" not in path]) + 1 == 50
    # 4.09 billion multiply-adds are what torchvision gives
    assert SPEC.flops(preset, 1, "infer") == pytest.approx(2 * 4.09e9, rel=1e-3)


@pytest.mark.parametrize("preset", sorted(SPEC.presets))
def test_stages_halve_the_image_in_their_first_block(preset: str) -> None:
    one = SPEC.presets[preset]
    edges = [(block.size_in, block.size_out) for block in blocks(one) if block.path.endswith(".0")]
    quarter = one.size // 4
    assert edges == [
        (quarter, quarter),
        (quarter, quarter // 2),
        (quarter // 2, quarter // 4),
        (quarter // 4, quarter // 8),
    ]
    assert [size_after(size, 2) for size in (7, 8, 9)] == [4, 4, 5]


def test_only_kernels_are_decayed_and_only_variances_average() -> None:
    for name, one in SPEC.tensors(SMOKE).items():
        part = name.rpartition(".")[2]
        assert one.decayed == (part == "kernel"), name
        assert bool(one.averages) == (part == "moving_variance"), name
        assert (one.role == "buffer") == part.startswith("moving"), name
    assert SPEC.tensors(SMOKE)["stages.3.0.bn1.moving_variance"].averages == 4 * 4  # before the stride
    assert SPEC.tensors(SMOKE)["stages.3.0.bn2.moving_variance"].averages == 2 * 2


@pytest.mark.frameworks
def test_moving_statistics_are_of_the_mean_and_of_the_biased_variance() -> None:
    stepped, job = driver("train", 2)
    stepped.run(1)
    state = stepped.state().tensors
    kernel = job.weights["stem_conv.kernel"].astype(np.float64)
    image = np.pad(job.batches["image"][0].astype(np.float64), ((0, 0), (3, 3), (3, 3), (0, 0)))
    windows: Any = np.lib.stride_tricks.sliding_window_view(image, (7, 7), axis=(1, 2))[:, ::2, ::2]
    seen = np.einsum("bhwcij,ijco->bhwo", windows, kernel)  # what the stem's BatchNorm is given
    for part, batch in (("moving_mean", seen.mean((0, 1, 2))), ("moving_variance", seen.var((0, 1, 2)))):
        name = f"stem_bn.{part}"
        expected = 0.9 * job.weights[name].astype(np.float64) + (1.0 - 0.9) * batch
        np.testing.assert_allclose(state[name], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.frameworks
def test_the_padding_of_the_smooth_form_s_average_counts() -> None:
    require("frameworks", HAS_TORCH, "torch is not installed")
    import torch

    pool = workloads.file("resnet50", "torch").Backbone(SMOKE._replace(smooth=True)).pool
    averages = pool(torch.ones(1, 1, 4, 4))[0, 0].tolist()
    assert np.allclose(averages, [[4 / 9, 6 / 9], [6 / 9, 1.0]])


@pytest.mark.frameworks
def test_gradients_agree_with_finite_differences() -> None:
    stepped, job = driver("train", 2, smooth=True)
    import torch

    image, label = stepped.stream.batches[0]  # type: ignore[attr-defined]
    model = stepped.model.double()  # type: ignore[attr-defined]
    generator = torch.Generator().manual_seed(0)
    parameters = list(model.parameters())
    along = [torch.randn(one.shape, generator=generator, dtype=torch.float64) for one in parameters]
    gradients = torch.autograd.grad(job.file.loss(model, image, label), parameters)
    slope = sum(float((gradient * one).sum()) for gradient, one in zip(gradients, along, strict=True))
    h, losses = 1e-6, []
    with torch.no_grad():
        for step in (h, -2 * h):
            for parameter, one in zip(parameters, along, strict=True):
                parameter += step * one
            losses.append(float(job.file.loss(model, image, label)))
    assert slope == pytest.approx((losses[0] - losses[1]) / (2 * h), rel=1e-5)


@pytest.mark.frameworks
def test_the_backbone_stands_without_the_classifier() -> None:
    require("frameworks", HAS_TORCH, "torch is not installed")
    import torch

    backbone = workloads.file("resnet50", "torch").Backbone(SMOKE)
    x = backbone.stem(torch.zeros(2, 3, SMOKE.size, SMOKE.size))
    shapes = [tuple((x := stage(x)).shape) for stage in backbone.stages]
    assert shapes == [(2, 32, 16, 16), (2, 64, 8, 8), (2, 128, 4, 4), (2, 256, 2, 2)]
    assert not any("classifier" in name for name, _ in backbone.named_parameters())
