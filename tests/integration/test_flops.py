"""The analytic FLOPs of each workload against two independent counters, in every preset and task.

PyTorch's ``FlopCounterMode`` counts the matrix products and convolutions that are dispatched, on the meta device
without computing anything. It must be **equal**: what it leaves out (biases, ReLU, pooling, loss, optimizer) the
analytic function leaves out too.

XLA's cost analysis (of the Keras models on JAX) must agree within 2 %. It counts otherwise in two ways, which
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
from harness.record import Case, Contender
from harness.workloads import Job
from tests.requirement import require

pytestmark = pytest.mark.frameworks

BATCH = 4
CASES = [
    (name, preset, task)
    for name in workloads.names()
    for preset in workloads.get(name).presets
    for task in ("infer", "train")
]


def needs(*modules: str) -> None:
    absent = [name for name in modules if importlib.util.find_spec(name) is None]
    require("frameworks", not absent, f"not installed here: {', '.join(absent)}")


def analytic(name: str, preset: str, task: str) -> int:
    return workloads.get(name).flops(preset, BATCH, task)


def torch_model(name: str, preset: str) -> tuple[Any, tuple[int, ...]]:
    """The workload's own ``nn.Module`` and the shape of a batch of its images."""
    shape = workloads.get(name).presets[preset]
    if name == "convstack":
        from harness.workloads.convstack.torch import ConvStack

        return ConvStack(shape.size, shape.channels, shape.classes), (BATCH, 3, shape.size, shape.size)
    from harness.workloads.mlp.torch import Mlp

    return Mlp(shape.widths), (BATCH, 8, 8)


@pytest.mark.parametrize(("name", "preset", "task"), CASES)
def test_pytorch_counts_the_same(name: str, preset: str, task: str) -> None:
    needs("torch")
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with torch.device("meta"):
        model, shape = torch_model(name, preset)
        images, labels = torch.empty(shape), torch.empty(BATCH, dtype=torch.int64)
    with FlopCounterMode(display=False) as counter:
        if task == "infer":
            with torch.inference_mode():
                model(images)
        else:
            torch.nn.functional.cross_entropy(model(images), labels).backward()
    assert counter.get_total_flops() == analytic(name, preset, task)


@pytest.mark.parametrize("task", ["infer", "train"])
@pytest.mark.parametrize("name", workloads.names())
def test_pytorch_counts_the_same_in_the_very_step_that_is_timed(name: str, task: str) -> None:
    """The whole step on the CPU, with loss and optimizer, in the smallest preset."""
    needs("torch")
    from torch.utils.flop_counter import FlopCounterMode

    workload = workloads.get(name)
    stack = frameworks.load("torch")
    contender = Contender(stack="torch", mode="eager")
    case = Case(workload=name, preset="smoke", task=task, batch=BATCH, cores=1)  # type: ignore[arg-type]
    job = Job(
        workload, case, contender, workload.weights("smoke", 0), workload.batches("smoke", BATCH, seed=0)
    )
    work = workloads.build(job, stack)
    work.run(1)
    with FlopCounterMode(display=False) as counter:
        work.run(3)
    assert counter.get_total_flops() == 3 * analytic(name, "smoke", task)


@functools.cache
def by_xla_itself() -> dict[str, list[float]]:
    command = [sys.executable, "-m", "tests.integration.flops_by_xla", str(BATCH)]
    answer = subprocess.run(command, capture_output=True, check=True, timeout=600)
    found: dict[str, list[float]] = json.loads(answer.stdout)
    return found


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


@pytest.mark.parametrize(("name", "preset", "task"), CASES)
def test_xla_counts_the_same_within_two_per_cent(name: str, preset: str, task: str) -> None:
    needs("keras", "jax")
    lowered, compiled = by_xla_itself()[f"{name} {preset} {task}"]
    expected = pytest.approx(by_xla(name, preset, task), rel=0.02)
    assert lowered == expected
    if (name, preset, task) != ("convstack", "smoke", "train"):
        assert compiled == expected
