"""The workloads as each framework's well-known libraries write them: their layers in the workload's shape.

A file per framework offers ``MODELS``, a ``Known`` by workload, stepped by the loops of ``benchmarks/native/``. Whole
files by independent hands may differ in form; ``Known.says`` names every difference. None in work is let pass:
parameters and FLOPs of a forward pass are counted and have to equal the specification's (``unequal_work``).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from harness.workloads.specification import Workload


class Work(NamedTuple):
    """What a model holds and a forward pass does. ``flops``: of products and convolutions; null where not counted."""

    parameters: int
    flops: int | None


class Known(NamedTuple):
    """``build`` takes what the native loop's own models take; ``more``: parameters beyond the specified, by preset.

    ``fits``: the presets that the library can have the shape of, all by default.
    """

    build: Callable[..., Any]
    says: str
    more: Callable[[Any], int] = lambda preset: 0
    fits: Callable[[Any], bool] = lambda preset: True


def unequal_work(workload: Workload, preset: Any, batch: int, known: Known, work: Work) -> str | None:
    """In which way a model does not do what is specified, in words; null if it does."""
    weights = [one for one in workload.tensors(preset).values() if one.role == "weight"]
    parameters = sum(math.prod(one.shape) for one in weights) + known.more(preset)
    if work.parameters != parameters:
        return f"{work.parameters:,} trained parameters, not {parameters:,}"
    if "infer" in workload.tasks:
        flops = workload.flops(preset, batch, "infer")
    else:
        flops = workload.flops(preset, batch, "train") // 3
    if work.flops not in (None, flops):
        return f"{work.flops:,} FLOPs in a forward pass, not {flops:,}"
    return None
