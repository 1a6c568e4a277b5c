"""misbehaving: a product of two small vectors, and beside it one bad deed, which the preset names."""

from __future__ import annotations

from typing import NamedTuple

from harness.record import Task
from harness.workloads.specification import SGD, Gate, Input, Tensor, Uniform, Work, Workload

from .deeds import DEEDS


class Preset(NamedTuple):
    deed: str
    width: int = 4096  # values


def tensors(preset: Preset) -> dict[str, Tensor]:
    """``factor`` (width,) in [-1, 1)."""
    return {"factor": Tensor(shape=(preset.width,), a=1.0)}


def flops(preset: Preset, batch: int, task: Task) -> int:
    """One multiplication per value."""
    return batch * preset.width


SPEC = Workload(
    name="misbehaving",
    presets={name: Preset(name) for name in DEEDS},
    inputs={"x": Input(("B", "width"), Uniform(1.0))},
    tensors=tensors,
    tasks={"infer": Work(inputs=("x",), outputs=("y",), unit="samples")},
    flops=flops,
    optimizer=SGD(lr=0.0),
    gate=Gate(sizes={}),
    batches_drawn=1,
)
