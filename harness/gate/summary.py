"""What is kept of one reference tensor: its norm and eight projections on seeded random signs.

For signs s in {-1, +1}^n, E[(s . x)^2] = ||x||^2, so the root mean square of the projections' differences estimates
||observed - reference|| with a standard deviation of 1/sqrt(2 * 8), 25 %: plenty for tolerances that are decades away
from both a right and a wrong implementation.
"""

from __future__ import annotations

import hashlib
import math

import numpy as np

PROJECTIONS = 8
DIGITS = 13  # significant, of what is stored: far below the tightest tolerance

_CHUNK = 1 << 16


class Summary(tuple[float, ...]):
    """(norm, projection 1, ... projection 8), float64."""

    @property
    def norm(self) -> float:
        return self[0]

    @property
    def projections(self) -> tuple[float, ...]:
        return tuple(self[1:])


def summarise(array: np.ndarray, name: str) -> Summary:
    """Norm and projections of ``array`` in float64; the signs depend on ``name`` and the size only."""
    flat = np.ascontiguousarray(array, dtype=np.float64).ravel()
    with np.errstate(invalid="ignore", over="ignore"):
        return Summary((float(np.linalg.norm(flat)), *(float(value) for value in _project(flat, name))))


def _project(flat: np.ndarray, name: str) -> np.ndarray:
    """(n,) float64 -> (8,) float64: element i meets the 8 sign bits of the i-th byte of Philox.

    Raw words, because NumPy promises their stream but not its distributions'.
    """
    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:16], "little")
    stream = np.random.Philox(key=key)
    total = np.zeros(PROJECTIONS)
    for start in range(0, flat.size, _CHUNK):  # a chunk begins at a whole word
        part = flat[start : start + _CHUNK]
        octets = stream.random_raw((part.size + 7) // 8).astype("<u8").view(np.uint8)[: part.size]
        bits = np.unpackbits(octets, bitorder="little").reshape(part.size, PROJECTIONS)
        # s = 2 * bit - 1, so s . x = 2 * (bit . x) - sum(x)
        total += 2.0 * (part @ bits.astype(np.float64)) - part.sum()
    return total


def distance(observed: Summary, reference: Summary) -> float:
    """Estimate of ||observed - reference|| / ||reference||; infinite if a value is not finite."""
    with np.errstate(invalid="ignore", over="ignore"):
        difference = np.asarray(observed.projections) - np.asarray(reference.projections)
        apart = float(np.sqrt(np.mean(difference**2)))
    if not math.isfinite(apart):
        return math.inf
    if reference.norm == 0.0:
        return 0.0 if apart == 0.0 else math.inf
    return apart / reference.norm


def combine(summaries: list[Summary]) -> Summary:
    """The summary of several arrays as one: norms add in squares, projections as they are (each under its own
    name)."""
    if len(summaries) == 1:
        return summaries[0]
    norm = math.sqrt(sum(one.norm**2 for one in summaries))
    return Summary(
        (norm, *(sum(parts) for parts in zip(*(one.projections for one in summaries), strict=True)))
    )


def rounded(summary: Summary) -> list[float]:
    """As it is stored."""
    return [float(f"{value:.{DIGITS}g}") for value in summary]
