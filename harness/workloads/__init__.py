"""A workload is specified once and implemented per framework; it never knows a clock.

``workloads/<name>/`` holds ``spec.py`` (a ``SPEC`` object that satisfies ``Workload``), ``reference.py``
(the fp64 reference), its stored reference arrays, and one short file per framework (``torch.py``,
``tensorflow.py``, ``keras.py``), each with ``build(job, stack) -> Work``. Discovery is by folder.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np

from harness.frameworks import Stack
from harness.record import Case, Contender

Weights = Mapping[str, np.ndarray]  # canonical names; convolutions HWIO, dense (in, out), fp32


class Batches(NamedTuple):
    """Device-ready batches, in the order in which steps consume them; steps cycle through them."""

    x: np.ndarray  # (N, B, ...) fp32, images NHWC
    y: np.ndarray  # (N, B) int64 class labels


class Workload(Protocol):
    """The specification, the same for all frameworks."""

    name: str
    presets: Mapping[str, Any]
    learning_rate: float
    momentum: float
    target_accuracy: float | None

    def weights(self, preset: str, seed: int) -> dict[str, np.ndarray]:
        """Initial fp32 weights from Philox raw words through ``philox.uniform``."""

    def batches(self, preset: str, batch: int, seed: int) -> Batches:
        """The batches of the timed steps, in order."""

    def flops(self, preset: str, batch: int, task: str) -> int:
        """Analytic FLOPs of one step (multiply-add = 2; train = forward + backward, no recompute)."""

    def parity_batch(self, preset: str) -> int:
        """Batch size of the parity preset."""

    def config(self, preset: str) -> dict[str, Any]:
        """Everything that defines the work, JSON-able; its hash goes into the record."""


class Job(NamedTuple):
    """What a framework file needs to build the work."""

    workload: Workload
    case: Case
    contender: Contender
    weights: Weights
    batches: Batches


class Work(Protocol):
    """One model in one framework, ready to step."""

    def run(self, n: int) -> Any:
        """Do n steps; the last step's loss (train, scalar) or logits (infer, (B, classes)), unwaited."""

    def weights(self) -> dict[str, np.ndarray]:
        """Current weights under canonical names and layouts, waited for."""

    def reset(self, weights: Weights) -> None:
        """Load weights bit-exactly, zero the optimizer state, start again at the first batch."""


SELF_TEST = "planted"  # proves the machinery; frameworks are not compared on it


def names() -> list[str]:
    """Workload folders that frameworks are compared on, sorted."""
    return [name for name in _folders() if name != SELF_TEST]


def get(name: str) -> Workload:
    """The specification of a workload; ``KeyError`` if there is no such folder."""
    if name not in _folders():
        raise KeyError(name)
    return importlib.import_module(f"{__name__}.{name}.spec").SPEC  # type: ignore[no-any-return]


def _folders() -> list[str]:
    return sorted(info.name for info in pkgutil.iter_modules(__path__) if info.ispkg)


def build(job: Job, stack: Stack) -> Work:
    """The work in the stack's framework: ``keras-jax`` is built by ``keras.py``."""
    family = stack.name.split("-")[0]
    module = importlib.import_module(f"{__name__}.{job.workload.name}.{family}")
    return module.build(job, stack)  # type: ignore[no-any-return]
