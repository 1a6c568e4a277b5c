"""What watching costs: trials time the same blocks with the sampler and without it, side by side."""

from __future__ import annotations

from collections.abc import Iterable

from framebench.records.trial_figures import observed_times
from framebench.statistics.interval import Estimate, time_interval
from harness.record import Record


def observer_ratio(records: Iterable[Record]) -> Estimate | None:
    """Time of a step with the sampler over without it: one ratio per trial, t interval on their logarithms.

    Wall time, run-queue wait included: the sampler is one of those whom the work waits for. Null without a trial
    that measured it.
    """
    ratios = [times for record in records if (times := observed_times(record)) is not None]
    return time_interval(ratios) if ratios else None
