"""What the GPUs of a result used: joules per unit of work."""

from __future__ import annotations

from statistics import median

from framebench.dataset.result import Result
from framebench.records.trial_figures import energy_used

SENSOR_ERROR = 0.05
"""How far a card's sensor may be off, as a part of one, in the same direction all the time (arXiv 2312.02741, more than
70 cards): it goes into comparisons across cards, and cancels out on one."""


def joules_per_unit(result: Result) -> float | None:
    """Median over the timed trials of what all GPUs of a trial used per sample, image, token or call; null where one
    trial does not know it."""
    of_trials = [energy_used(record) for record in result.timed]
    known = [one.per_unit for one in of_trials if one is not None and one.per_unit is not None]
    return median(known) if known and len(known) == len(of_trials) else None
