"""planted: a step of equal units, so that one per cent more work is exactly one per cent more units.

The self-test's workload. It is compared with nothing but itself: a variant that does more work must be found
slower, and the same variant under two names must not.
"""

from __future__ import annotations

from typing import NamedTuple

from harness.record import Task
from harness.workloads.specification import SGD, Gate, Input, Tensor, Uniform, Work, Workload


class Preset(NamedTuple):
    units: int  # per step, a multiple of 100
    width: int  # values that a unit works on


def tensors(preset: Preset) -> dict[str, Tensor]:
    """``factor`` (width,) in [-1, 1): values stay bounded however often they are multiplied."""
    return {"factor": Tensor(shape=(preset.width,), a=1.0)}


def flops(preset: Preset, batch: int, task: Task) -> int:
    """One multiplication and one addition per value and unit, of the variant without extra work."""
    return 2 * batch * preset.units * preset.width


SPEC = Workload(
    name="planted",
    presets={"selftest": Preset(units=200, width=4096)},
    inputs={"x": Input(("B", "width"), Uniform(1.0))},
    tensors=tensors,
    tasks={"infer": Work(inputs=("x",), outputs=("y",), unit="samples")},
    flops=flops,
    optimizer=SGD(lr=0.0),
    gate=Gate(sizes={}),
    batches_drawn=1,
)
