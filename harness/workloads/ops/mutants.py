"""What single operations get wrong, planted: see ``harness/gate/mutants.py``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from harness.gate.mutants import Mutant, batches, patched, preset, slightly_larger
from harness.record import Task
from harness.workloads import Job

CALL: tuple[Task, ...] = ("call",)


def next_place(job: Job, name: str, array: np.ndarray) -> np.ndarray:
    """What is looked up is the value after the one that is asked for."""
    below = {"index": job.preset.width, "tokens": job.preset.rows}.get(name)
    return (array + 1) % below if below else array


def only_of(operation: str, mutate: Callable[[Job], Job | None]) -> Callable[[Job], Job | None]:
    return lambda job: mutate(job) if job.preset.operation == operation else None


def another_curve(elementwise: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The chain of 1.0001 x."""
    return lambda x: elementwise(1.0001 * x)


MUTANTS = (
    Mutant("the next value is looked up", batches(next_place), tasks=CALL),
    Mutant("twice the heads", preset("heads", lambda heads: 2 * heads), tasks=CALL),
    Mutant(
        "epsilon of the norm 0.1 % off",
        preset("epsilon", slightly_larger),
        tasks=CALL,
        seen_in_float64=("layers",),
    ),
    Mutant("another curve", only_of("elementwise", patched("elementwise", another_curve)), tasks=CALL),
)
