"""Did the timed blocks stay at one level? Change points in the logarithms of the block times.

Optimal partitioning with the cost of a normal distribution's mean, sum((x - mean)^2), and the penalty
3 ln(n) s^2 per change point, where s = 1.4826 MAD(first differences) / sqrt(2) measures the noise without
seeing the level. Neighbouring segments whose medians differ by at most 2 % are one level: such a change
would alter no verdict. More than one level is no steady state (Barrett et al., OOPSLA 2017).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from harness.record import SteadyClass

LEVEL_TOLERANCE = 0.02


def classify(block_ns: Sequence[float]) -> SteadyClass:
    """``steady``: one level; ``slowdown``: the last is slower than the first; else ``no-steady-state``."""
    times = np.log(np.asarray(block_ns, dtype=np.float64))
    levels = _levels(times)
    if len(levels) == 1:
        return "steady"
    return "slowdown" if levels[-1] - levels[0] > LEVEL_TOLERANCE else "no-steady-state"


def _levels(times: np.ndarray) -> list[float]:
    """Medians (log ns) of the segments, neighbours within the tolerance merged."""
    bounds = change_points(times)
    segments = [times[a:b] for a, b in zip([0, *bounds], [*bounds, times.size], strict=True)]
    merged = [segments[0]]
    for segment in segments[1:]:
        if abs(np.median(segment) - np.median(merged[-1])) <= LEVEL_TOLERANCE:
            merged[-1] = np.concatenate([merged[-1], segment])
        else:
            merged.append(segment)
    return [float(np.median(segment)) for segment in merged]


def change_points(times: np.ndarray, shortest: int = 2) -> list[int]:
    """Indices at which a new segment begins, by dynamic programming in O(n^2); none for n < 4."""
    count = times.size
    if count < 2 * shortest:
        return []
    steps = np.diff(times)
    sigma = 1.4826 * float(np.median(np.abs(steps - np.median(steps)))) / math.sqrt(2)
    penalty = 3.0 * math.log(count) * sigma**2
    total = np.concatenate([[0.0], np.cumsum(times)])
    squares = np.concatenate([[0.0], np.cumsum(times**2)])
    best = np.full(count + 1, np.inf)
    best[0] = -penalty
    previous = np.zeros(count + 1, dtype=int)
    for end in range(shortest, count + 1):
        starts = np.arange(0, end - shortest + 1)
        cost = squares[end] - squares[starts] - (total[end] - total[starts]) ** 2 / (end - starts)
        candidates = best[starts] + np.maximum(cost, 0.0) + penalty
        choice = int(np.argmin(candidates))
        best[end], previous[end] = candidates[choice], starts[choice]
    points: list[int] = []
    end = int(previous[count])
    while end > 0:
        points.append(end)
        end = int(previous[end])
    return points[::-1]
