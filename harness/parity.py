"""The gate before the clock: is what will be timed the work that was specified?

Every contender is compared with an fp64 reference, in the mode that is timed and through nothing but
what is timed: ``reset``, ``run`` and ``weights``. The first step of SGD with momentum is exactly
W1 = W0 - lr * g, so (W0 - W1) / lr is the gradient; after three steps W3 - W0 is the update, which also
shows the momentum's state.

A reference tensor is stored as its norm and 32 projections on seeded random signs. For signs s in
{-1, +1}^n, E[(s . x)^2] = ||x||^2, so the root mean square of the projections' differences estimates
||observed - reference|| with a standard deviation of 1/sqrt(2 * 32), 12.5 %: plenty for tolerances that
are decades away from both a right and a wrong implementation.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from harness.frameworks import Stack
from harness.record import Parity, ParityDiff, Task
from harness.workloads import Weights, Work

PROJECTIONS = 32
STEPS = 3

# Tolerances for fp32 (DESIGN section 6.2), set before any result was seen. Worst values of right
# implementations in the project's first study: logits 4.8e-7, loss 5.8e-7, gradients 1.7e-6; of a wrong
# flatten order: logits 0.55, gradients 1.5.
LOGITS_REL_L2 = 1e-5
LOSS_ABS = 1e-5  # times max(1, |loss|)
GRADIENT_REL_L2 = 1e-4
UPDATE_REL_L2 = 1e-3  # a learning rate 1 % off gives 1e-2

FP32_ROUND_OFF = 2.0**-24  # largest relative error of one fp32 rounding

_CHUNK = 1 << 16


class Summary(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is kept of one reference tensor: Euclidean norm, projections (float64), shape."""

    norm: float
    projections: list[float]
    shape: list[int]


class Reference(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What float64 says about one preset and task, on the first batches of ``seed``.

    ``train``: ``loss`` of the first step, ``gradients`` of the first step, ``updates`` W3 - W0, each by
    canonical weight name. ``infer``: ``logits`` of the first batch.
    """

    source: str  # what computed it, e.g. "numpy 2.4 float64"
    preset: str
    task: Task
    batch: int
    seed: int
    loss: float | None = None
    logits: Summary | None = None
    gradients: dict[str, Summary] = {}
    updates: dict[str, Summary] = {}


def summarise(array: np.ndarray, name: str) -> Summary:
    """Norm and projections of ``array`` in float64; the signs depend on ``name`` and the size only."""
    flat = np.ascontiguousarray(array, dtype=np.float64).ravel()
    return Summary(
        norm=float(np.linalg.norm(flat)),
        projections=[float(value) for value in _project(flat, name)],
        shape=list(np.shape(array)),
    )


def _project(flat: np.ndarray, name: str) -> np.ndarray:
    """(n,) float64 -> (32,) float64: element i meets the 32 sign bits of the i-th half word of Philox.

    Raw words, because NumPy promises their stream but not its distributions'.
    """
    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:16], "little")
    stream = np.random.Philox(key=key)
    total = np.zeros(PROJECTIONS)
    for start in range(0, flat.size, _CHUNK):  # _CHUNK is even: chunks begin at whole words
        part = flat[start : start + _CHUNK]
        words = stream.random_raw((part.size + 1) // 2)
        octets = words.astype("<u8").view(np.uint8)[: 4 * part.size]
        bits = np.unpackbits(octets, bitorder="little").reshape(part.size, PROJECTIONS)
        # s = 2 * bit - 1, so s . x = 2 * (bit . x) - sum(x)
        total += 2.0 * (part @ bits.astype(np.float64)) - part.sum()
    return total


def rel_l2(observed: np.ndarray, name: str, reference: Summary) -> float:
    """Estimate of ||observed - reference|| / ||reference||; infinite if shapes or values are unfit."""
    if list(np.shape(observed)) != reference.shape:
        return math.inf
    with np.errstate(invalid="ignore", over="ignore"):
        difference = np.asarray(summarise(observed, name).projections) - np.asarray(reference.projections)
        distance = float(np.sqrt(np.mean(difference**2)))
    if not math.isfinite(distance):
        return math.inf
    if reference.norm == 0.0:
        return 0.0 if distance == 0.0 else math.inf
    return distance / reference.norm


def check(work: Work, stack: Stack, reference: Reference, weights: Weights, lr: float, task: Task) -> Parity:
    """Compare ``work`` with ``reference``: weights read back, then loss, gradients and updates, or logits.

    Parameters
    ----------
    weights : the canonical weights of the reference's preset and seed.
    lr : learning rate of the workload.

    Notes
    -----
    A gradient recovered from fp32 weights carries the rounding of W1: at most 2**-24 |W| per element, so a
    relative error of up to 2**-24 ||W|| / (lr ||g||) that no implementation can avoid. That bound is
    added to the gradient's tolerance, and so is in the record.
    """
    work.reset(weights)
    diffs = [_round_trip(work.weights(), weights)]
    output = stack.to_host(stack.barrier(work.run(1)))
    if task == "infer":
        if reference.logits is None:
            raise ValueError(f"the reference of {reference.preset}/{reference.task} has no logits")
        diffs.append(_diff("logits", rel_l2(output, "logits", reference.logits), LOGITS_REL_L2))
        return _verdict(reference, diffs, steps=1)

    diffs.append(_loss(float(np.asarray(output).reshape(-1)[0]), reference))
    after_one = work.weights()
    stack.barrier(work.run(STEPS - 1))
    after_three = work.weights()
    for name, expected in reference.gradients.items():
        gradient = _difference(weights, after_one, name, 1.0 / lr)
        step = lr * expected.norm
        unavoidable = FP32_ROUND_OFF * float(np.linalg.norm(weights[name])) / step if step else 0.0
        diffs.append(
            _diff(
                f"gradient {name}",
                rel_l2(gradient, f"gradient {name}", expected),
                GRADIENT_REL_L2 + unavoidable,
            )
        )
    for name, expected in reference.updates.items():
        update = _difference(weights, after_three, name, -1.0)
        diffs.append(_diff(f"update {name}", rel_l2(update, f"update {name}", expected), UPDATE_REL_L2))
    return _verdict(reference, diffs, steps=STEPS)


def _difference(start: Weights, end: Weights, name: str, factor: float) -> np.ndarray:
    """(start - end) * factor in float64; empty where the stack has no such weight."""
    if name not in end or np.shape(start[name]) != np.shape(end[name]):
        return np.empty(0)
    return (start[name].astype(np.float64) - np.asarray(end[name], np.float64)) * factor


def _round_trip(read_back: Weights, given: Weights) -> ParityDiff:
    """Largest |read back - given| over all tensors: loading must change no bit."""
    same_names = set(read_back) == set(given)
    if not same_names or any(np.shape(read_back[name]) != np.shape(given[name]) for name in given):
        return ParityDiff(what="weights round-trip", metric="abs", value=None, tolerance=0.0, passed=False)
    worst = max(float(np.max(np.abs(read_back[name] - given[name]), initial=0.0)) for name in given)
    return _diff("weights round-trip", worst, 0.0, metric="abs")


def _loss(observed: float, reference: Reference) -> ParityDiff:
    if reference.loss is None:
        raise ValueError(f"the reference of {reference.preset}/{reference.task} has no loss")
    tolerance = LOSS_ABS * max(1.0, abs(reference.loss))
    return _diff("loss", abs(observed - reference.loss), tolerance, metric="abs")


def _diff(what: str, value: float, tolerance: float, metric: Any = "rel-l2") -> ParityDiff:
    """A comparison; a value that is not finite fails and is stored as null."""
    finite = math.isfinite(value)
    return ParityDiff(
        what=what,
        metric=metric,
        value=value if finite else None,
        tolerance=tolerance,
        passed=finite and value <= tolerance,
    )


def _verdict(reference: Reference, diffs: list[ParityDiff], steps: int) -> Parity:
    return Parity(
        reference=reference.source,
        preset=reference.preset,
        batch=reference.batch,
        steps=steps,
        diffs=diffs,
        passed=all(diff.passed for diff in diffs),
    )


def write_references(path: Path, references: Mapping[str, Reference]) -> None:
    """Store references as readable JSON, keyed ``<preset>/<task>``; floats round-trip exactly."""
    text = msgspec.json.format(msgspec.json.encode(references, order="sorted"), indent=1)
    path.write_bytes(text + b"\n")


def read_references(path: Path) -> dict[str, Reference]:
    """Strictly decode what ``write_references`` stored."""
    return msgspec.json.decode(path.read_bytes(), type=dict[str, Reference])
