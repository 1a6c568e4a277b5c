"""What a process spends before it is at speed: each phase of a trial, over all timed trials of a result."""

from __future__ import annotations

from statistics import median

from framebench.dataset.result import Result
from framebench.records.trial_figures import phase_ns


def phase_median(result: Result, phase: str) -> float | None:
    """Median wall time of one phase in ns, e.g. ``build``, over the trials that count; null where none has it."""
    times = [time for record in result.timed if (time := phase_ns(record, phase)) is not None]
    return median(times) if times else None
