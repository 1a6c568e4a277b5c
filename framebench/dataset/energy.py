"""What a result's GPUs used: joules per unit of work."""

from __future__ import annotations

from statistics import median

from framebench.dataset.result import Result
from framebench.records.trial_figures import trial_joules


def joules_per_unit(result: Result) -> float | None:
    """Median over the timed trials of what all GPUs of a trial used per sample, image, token or call; null where one
    trial does not know it."""
    used = [trial_joules(record) for record in result.timed]
    known = [joules for joules in used if joules is not None]
    return median(known) if known and len(known) == len(used) else None
