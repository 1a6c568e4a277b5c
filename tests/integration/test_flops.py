"""The analytic FLOPs of each workload against two independent counters, in every preset and task.

PyTorch's ``FlopCounterMode`` counts the matrix products and convolutions that are dispatched, on the meta device
without computing anything. It must be **equal**: what it leaves out (biases, ReLU, pooling, loss, optimizer) the
analytic function leaves out too. Attention and recurrent layers are dispatched as plain products for it: it knows
no FLOPs of a CPU's fused kernels.

XLA's cost analysis (of the JAX files) must agree within 2 %. It counts otherwise in two ways, which
``by_xla`` puts right:

- it leaves out multiplications with the zeros around an image. Of the 3 S taps that meet each row and column of
  an S x S image, 3 S - 2 lie inside. Libraries compute the zeros like everything else, so the analytic function
  and PyTorch's counter count them; without them convstack's smallest images (2 x 2) would have 44 % of it.
- it counts elementwise work: a bias for each of a convolution's outputs, and three comparisons in each pooling
  window of four. The rest (ReLU, loss, gradients of biases) stays inside the 2 %.

One count is compared before XLA's optimizations only, training convstack's preset "smoke": XLA for CPUs takes the
gradient of a pooling apart into 7.5 operations per activation, which beside 8 channels is 3.6 %.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import subprocess
import sys
from typing import Any

import pytest

from harness import frameworks, workloads
from harness.gate.check import timed_job
from harness.record import Case, Contender
from harness.workloads.specification import Workload
from tests.requirement import require

pytestmark = pytest.mark.frameworks

BATCH = 4
CASES = [
    (name, preset, task)
    for name in workloads.names()
    if workloads.get(name).files is None  # a loader has the inputs; a unit test says whose FLOPs they are
    for preset, size in workloads.get(name).presets.items()
    if not getattr(size, "padded", False)  # lengths are values, which the meta device has none of
    for task in workloads.get(name).tasks
]
# What they compute depends on values, of which the meta device has none; the detector's step on a CPU is counted below.
DECIDES = ("fasterrcnn", "control_flow")
# Norms, softmax and GELU are a share of the others' work that XLA counts and the analytic function leaves out
XLA_COUNTS_ALIKE = ("convstack", "mlp")


def needs(*modules: str) -> None:
    absent = [name for name in modules if importlib.util.find_spec(name) is None]
    require("frameworks", not absent, f"not installed here: {', '.join(absent)}")


def analytic(name: str, preset: str, task: Any) -> int:
    workload = workloads.get(name)
    return workload.flops(workload.presets[preset], BATCH, task)


def inputs_of(workload: Workload, preset: Any, task: Any) -> list[Any]:
    """One batch of a task's inputs on the meta device, images as NCHW."""
    import torch

    made = []
    for name in workload.work(task, preset).inputs:
        one = workload.inputs[name]
        shape = one.resolved(preset, BATCH)
        if one.axes == "NHWC":
            shape = (shape[0], shape[3], shape[1], shape[2])
        made.append(torch.empty(shape, dtype=getattr(torch, one.dtype), device="meta"))
    return made


def step(file: Any, model: Any, task: str, inputs: list[Any]) -> None:
    """What PyTorch's driver has the workload's file do in one step, without the optimizer."""
    import torch

    if task == "train":
        file.loss(model, *inputs).backward()
        return
    with torch.no_grad():
        if task in ("prefill", "decode"):
            getattr(file, task)(model, file.empty_cache(model, BATCH), *inputs)
        elif hasattr(file, "predict"):
            file.predict(model, *inputs)
        else:
            model(*inputs)


@pytest.mark.parametrize(("name", "preset", "task"), [one for one in CASES if one[0] not in DECIDES])
def test_pytorch_counts_the_same(name: str, preset: str, task: str) -> None:
    needs("torch")
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    workload, file = workloads.get(name), workloads.file(name, "torch")
    size = workload.presets[preset]
    with torch.device("meta"), sdpa_kernel(SDPBackend.MATH):
        model = file.model(size).train(task == "train")
        inputs = inputs_of(workload, size, task)
        with FlopCounterMode(display=False) as counter:
            step(file, model, task, inputs)
    assert counter.get_total_flops() == analytic(name, preset, task)


@pytest.mark.parametrize(("name", "preset", "task"), [one for one in CASES if one[1] == "smoke"])
def test_pytorch_counts_the_same_in_the_very_step_that_is_timed(name: str, preset: str, task: Any) -> None:
    """The whole step on the CPU, with loss and optimizer, in the smallest preset."""
    needs("torch")
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    contender = Contender(stack="torch", mode="eager")
    case = Case(workload=name, preset=preset, task=task, batch=BATCH, cores=1)
    driver = frameworks.build(timed_job(case, contender), frameworks.load("torch"))
    driver.run(1)
    unfused = torch.backends.mkldnn.flags(enabled=False)
    with unfused, sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        driver.run(3)
    assert counter.get_total_flops() == 3 * (analytic(name, preset, task) + by_products(name, preset, task))


def by_products(name: str, preset: str, task: str) -> int:
    """RoIAlign written as two products, mostly with zeros: a form, and no work that the detector needs.

    Rows of all levels by (7, H), then columns by (7, W); no gradient of where the points are.
    """
    if name != "fasterrcnn" or task in ("backbone", "rpn"):
        return 0
    size: Any = workloads.get(name).presets[preset]
    looked_at = size.sampled_proposals if task == "train" else size.proposals
    edges = [size.size // stride for stride in (4, 8, 16, 32)]
    forward = sum(2 * looked_at * 7 * size.channels * (edge * edge + 7 * edge) for edge in edges)
    return BATCH * forward * (2 if task == "train" else 1)


@functools.cache
def by_xla_itself() -> dict[str, list[float]]:
    command = [sys.executable, "-m", "tests.integration.flops_by_xla", str(BATCH), *XLA_COUNTS_ALIKE]
    answer = subprocess.run(command, capture_output=True, check=True, timeout=600)
    counts: dict[str, list[float]] = json.loads(answer.stdout)
    return counts


def by_xla(name: str, preset: str, task: str) -> int:
    """The analytic count as XLA counts: without the zeros around images, with biases and comparisons."""
    if name != "convstack":
        return analytic(name, preset, task)
    size, channels, classes, *_ = workloads.get(name).presets[preset]
    convolutions, outputs = [], 0
    for stage, (c_in, c_out) in enumerate(zip((3, *channels), channels, strict=False)):
        edge = size >> stage
        convolutions.append(2 * BATCH * (3 * edge - 2) ** 2 * c_in * c_out)
        outputs += BATCH * edge**2 * c_out
    features = (size >> len(channels)) ** 2 * channels[-1]
    forward = sum(convolutions) + 2 * BATCH * features * classes
    work = forward if task == "infer" else 3 * forward - convolutions[0]
    return work + outputs + 3 * outputs // 4


@pytest.mark.parametrize(("name", "preset", "task"), [one for one in CASES if one[0] in XLA_COUNTS_ALIKE])
def test_xla_counts_the_same_within_two_per_cent(name: str, preset: str, task: str) -> None:
    needs("jax", "optax")
    lowered, compiled = by_xla_itself()[f"{name} {preset} {task}"]
    expected = pytest.approx(by_xla(name, preset, task), rel=0.02)
    assert lowered == expected
    if (name, preset, task) != ("convstack", "smoke", "train"):
        assert compiled == expected
