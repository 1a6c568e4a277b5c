"""Cycles beside time: what a difference is when the clock is taken out of it.

A GPU lowers its clock with heat and at its power limit, so of two contenders one may have been timed at a lower clock.
Cycles of a step are its time times the mean SM clock; the ratio in cycles is the ratio in time times the ratio of the
mean clocks. Where the two disagree, a part of the ratio in time belongs to the card and not to the program (as in
NVBench, which calls a kernel faster only if it is so in cycles too).
"""

from __future__ import annotations

import math

from framebench.dataset.result import Result
from harness.record import Record

DISAGREE = 0.01
"""How far the two ratios may lie apart, as a part of one."""


def clock_mhz(record: Record) -> float | None:
    """Mean SM clock over the timed window, weighted by time, of the GPU that was lowest; null where one is unknown or
    no clock of anything."""
    watched = record.telemetry.gpus if record.telemetry else []
    clocks = [gpu.metrics["sm_clock"].mean if "sm_clock" in gpu.metrics else None for gpu in watched]
    known = [clock for clock in clocks if clock and 1.0 <= clock <= 1e6]
    return min(known) if known and len(known) == len(clocks) else None


def clock_ratio(result: Result, baseline: Result) -> float | None:
    """Its mean clock over the baseline's: the geometric mean over the rounds that tell of both; null without one."""
    one, other = _clocks(result), _clocks(baseline)
    shared = one.keys() & other.keys()
    if not shared:
        return None
    return math.exp(sum(math.log(one[key] / other[key]) for key in sorted(shared)) / len(shared))


def disagree(time_ratio: float, cycle_ratio: float | None) -> bool:
    """Whether the clocks decide more than a hundredth of a ratio."""
    return cycle_ratio is not None and abs(math.log(cycle_ratio / time_ratio)) > math.log1p(DISAGREE)


def _clocks(result: Result) -> dict[tuple[str, int], float]:
    told = {(record.campaign_id, record.round): clock_mhz(record) for record in result.timed}
    return {key: clock for key, clock in told.items() if clock is not None}
