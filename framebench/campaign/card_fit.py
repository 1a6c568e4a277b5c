"""Whether a case fits the card that it would be measured on: what it computes in, and the least that it holds."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from framebench.executors import Unavailable
from framebench.executors.cards import Facts
from harness import workloads
from harness.record import Case

FIRST_WITH = {"tf32": (8, 0), "bf16": (8, 0)}
"""CUDA's compute capability from which on a GPU has units for it (Ampere)."""
BYTES = {"fp32": 4, "tf32": 4, "bf16": 2}
"""Of one number of a model, at least."""


def misfit(case: Case, chosen: Sequence[Facts]) -> Unavailable | None:
    """Why the case cannot run on these GPUs; null where nothing that is known speaks against it."""
    for one in chosen:
        first = FIRST_WITH.get(case.precision)
        if first is not None and one.capability is not None and one.capability < first:
            return Unavailable(
                f"{case.precision} takes a GPU of compute capability {_version(first)} or higher, and {one.name} has "
                f"{_version(one.capability)}",
                "leave such cases out with --case, or name another GPU with --gpu",
            )
        least = least_bytes(case)
        if one.memory_bytes is not None and least > one.memory_bytes:
            return Unavailable(
                f"it holds at least {least / 2**30:,.1f} GiB (weights, what training keeps of each, one batch), and "
                f"{one.name} has {one.memory_bytes / 2**30:,.1f} GiB",
                "take a smaller batch or preset, or name another GPU with --gpu",
            )
    return None


def least_bytes(case: Case) -> int:
    """On each device: weights, with gradients and the optimizer's state where it trains, and its part of one batch;
    activations come on top.

    0 where the workload does not say it, which other sentences are about.
    """
    part = case.batch // case.device_count
    try:
        workload = workloads.get(case.workload)
        preset = workload.presets[case.preset]
        work = workload.work(case.task, preset)
        tensors = workload.tensors(preset).values()
        inputs = [workload.inputs[name].resolved(preset, part) for name in (*work.inputs, *work.start)]
    except Exception:  # a broken folder, or a size that it lacks
        return 0
    weights = sum(math.prod(tensor.shape) for tensor in tensors if tensor.role == "weight")
    rule = msgspec.to_builtins(workload.optimizer)
    slots = 2 if rule["type"] == "adamw" else int(rule["momentum"] > 0)
    copies = 2 + slots if case.task == "train" else 1
    return BYTES[case.precision] * (copies * weights + sum(map(math.prod, inputs)))


def _version(capability: tuple[int, int]) -> str:
    return "{}.{}".format(*capability)
