"""What models with paths of their own get wrong, planted: see ``harness/gate/mutants.py``."""

from __future__ import annotations

import numpy as np

from harness.gate.mutants import Mutant, batches, preset
from harness.record import Task
from harness.workloads import Job

INFER: tuple[Task, ...] = ("infer",)


def sides_swapped(job: Job, name: str, array: np.ndarray) -> np.ndarray:
    """What stands left of a joint is taken for the right."""
    return job.batches[{"left": "right", "right": "left"}.get(name, name)]


def one_joint_less(job: Job, name: str, array: np.ndarray) -> np.ndarray:
    """The last joint of a tree is left out."""
    return array - 1 if name == "joints" else array


def the_same_tree(job: Job, name: str, array: np.ndarray) -> np.ndarray:
    """All samples of a batch are joined along the first one's tree."""
    return np.broadcast_to(array[:, :1], array.shape) if name in ("left", "right") else array


MUTANTS = (
    Mutant("left later than enough", preset("enough", lambda enough: 1.5 * enough), tasks=INFER),
    Mutant("left sooner than enough", preset("enough", lambda enough: enough / 2), tasks=INFER),
    Mutant("left and right swapped", batches(sides_swapped), tasks=INFER),
    Mutant("one joint too few", batches(one_joint_less), tasks=INFER),
    Mutant("one tree for all samples", batches(the_same_tree), tasks=INFER),
)
