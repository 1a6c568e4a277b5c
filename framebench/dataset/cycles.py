"""Cycles beside time: what a difference is when the clock is taken out of it.

A GPU lowers its clock with heat and at its power limit, so of two contenders one may have been timed at a lower clock.
Cycles of a step are its time times the mean SM clock; the ratio in cycles is the ratio in time times the ratio of the
mean clocks. Where the two disagree, a part of the ratio in time belongs to the card and not to the program (as in
NVBench, which calls a kernel faster only if it is so in cycles too).
"""

from __future__ import annotations

import math

from framebench.dataset.result import Result
from framebench.records.trial_figures import clock_mhz

DISAGREE = 0.01
"""How far the two ratios may lie apart, as a part of one."""

Clocks = dict[tuple[str, int], float]
"""By campaign and round, MHz."""


def clocks(result: Result) -> Clocks:
    """The mean clock of each timed trial that tells it."""
    told = {(record.campaign_id, record.round): clock_mhz(record) for record in result.timed}
    return {key: clock for key, clock in told.items() if clock is not None}


def clock_ratio(one: Clocks, other: Clocks) -> float | None:
    """The mean clock of ``one`` over that of ``other``: the geometric mean over the rounds that tell of both; null
    without one."""
    shared = one.keys() & other.keys()
    if not shared:
        return None
    return math.exp(sum(math.log(one[key] / other[key]) for key in sorted(shared)) / len(shared))


def disagree(time_ratio: float, cycle_ratio: float | None) -> bool:
    """Whether the clocks decide more than a hundredth of a ratio."""
    return cycle_ratio is not None and abs(math.log(cycle_ratio / time_ratio)) > math.log1p(DISAGREE)
