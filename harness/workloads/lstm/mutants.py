"""What is got wrong with sequences of many lengths, planted: see ``harness/gate/mutants.py``."""

from __future__ import annotations

import numpy as np

from harness.gate.mutants import Mutant, batches, preset
from harness.record import Task
from harness.workloads import Job

BOTH: tuple[Task, ...] = ("train", "infer")


def one_shorter(job: Job, name: str, array: np.ndarray) -> np.ndarray:
    """The last token of every padded sequence is lost, as where a length is taken for an index."""
    if name != "tokens" or not job.preset.padded:
        return array
    place = np.arange(array.shape[-1])
    last = (array != 0).sum(-1, keepdims=True) - 1
    return np.where((place == last) & (last > 0), 0, array)


MUTANTS = (
    Mutant("padding is read as tokens", preset("padded", lambda padded: False), tasks=BOTH),
    Mutant("a token is lost", batches(one_shorter), tasks=BOTH),
)
