"""Did the timed blocks stay at one level? Change points in the logarithms of the block times.

Optimal partitioning with the cost of a normal distribution's mean, sum((x - mean)^2), and the penalty
3 ln(n) s^2 per change point, where s = 1.4826 MAD(first differences) / sqrt(2) measures the noise without
seeing the level. A single slow block is an outlier and no level: the series is first smoothed by a running
median of three, and a segment has at least three blocks and at least a sixth of all (a shorter one moves the
median of all by a quarter of the noise at most, and spikes that meet would pass for one). Neighbouring
segments are one level if their medians differ by at most 2 % (such a change would alter no verdict) or by at
most three standard errors, 3 s sqrt(1/n + 1/m). More than one level is no steady state (Barrett et al.,
OOPSLA 2017).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from harness.record import SteadyClass

LEVEL_TOLERANCE = 0.02
SHORTEST, SHORTEST_SHARE = 3, 1 / 6  # of a segment: blocks, share of all blocks


def classify(block_ns: Sequence[float]) -> SteadyClass:
    """``steady``: one level; ``slowdown``: the last is slower than the first; else ``no-steady-state``."""
    times = np.log(np.asarray(block_ns, dtype=np.float64))
    levels = _levels(times)
    if len(levels) == 1:
        return "steady"
    return "slowdown" if levels[-1] - levels[0] > LEVEL_TOLERANCE else "no-steady-state"


def _levels(times: np.ndarray) -> list[float]:
    """Medians (log ns) of the segments, neighbours that are one level merged."""
    sigma = noise(times)
    shortest = max(SHORTEST, math.ceil(SHORTEST_SHARE * times.size))
    bounds = change_points(smooth(times), sigma, shortest)
    segments = [times[a:b] for a, b in zip([0, *bounds], [*bounds, times.size], strict=True)]
    merged = [segments[0]]
    for segment in segments[1:]:
        apart = abs(np.median(segment) - np.median(merged[-1]))
        if apart <= max(LEVEL_TOLERANCE, 3 * sigma * math.sqrt(1 / segment.size + 1 / merged[-1].size)):
            merged[-1] = np.concatenate([merged[-1], segment])
        else:
            merged.append(segment)
    return [float(np.median(segment)) for segment in merged]


def smooth(times: np.ndarray) -> np.ndarray:
    """Running median of three; the two ends stay."""
    if times.size < 3:
        return times
    inner = np.median(np.stack([times[:-2], times[1:-1], times[2:]]), axis=0)
    return np.concatenate([times[:1], inner, times[-1:]])


def noise(times: np.ndarray) -> float:
    """Standard deviation from block to block, whatever the level does."""
    steps = np.diff(times)
    if steps.size == 0:
        return 0.0
    return 1.4826 * float(np.median(np.abs(steps - np.median(steps)))) / math.sqrt(2)


def change_points(times: np.ndarray, sigma: float, shortest: int = SHORTEST) -> list[int]:
    """Indices at which a new segment begins, by dynamic programming in O(n^2); none for n < 2 shortest."""
    count = times.size
    if count < 2 * shortest:
        return []
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
