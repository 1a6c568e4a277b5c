"""The one figure that every result rests on."""

from __future__ import annotations

from statistics import median

from harness.record import Record


def step_ns(record: Record) -> float | None:
    """Median over blocks of the wall time of one step, in ns; null unless the trial was timed well."""
    if record.timing is None or not record.timing.blocks:
        return None
    return median([block.wall_ns / block.steps for block in record.timing.blocks])
