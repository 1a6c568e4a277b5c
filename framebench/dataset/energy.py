"""What a result's GPUs used: joules per unit of work, and by which sensor."""

from __future__ import annotations

from statistics import median
from typing import NamedTuple

from framebench.dataset.result import Result
from harness.record import Record

SENSOR_ERROR = 0.05
"""How far a card's sensor may be off, as a part of one, in the same direction all the time (arXiv 2312.02741, more than
70 cards): it goes into comparisons across cards, and cancels out on one."""


class Used(NamedTuple):
    """Energy of all GPUs of a timed trial over its window, J; ``above_rest`` is null without a power at rest.

    ``sensor``: ``counter``, the driver's own; ``instant power``, integrated; the worse where GPUs differ.
    """

    total: float
    above_rest: float | None
    per_unit: float | None
    sensor: str


def used(record: Record) -> Used | None:
    """Null without a GPU, or where one of them does not know it."""
    of_each = [gpu.energy for gpu in record.telemetry.gpus] if record.telemetry else []
    totals = [energy.total_j for energy in of_each if energy.total_j is not None]
    if not of_each or len(totals) < len(of_each):
        return None
    above = [energy.above_idle_j for energy in of_each if energy.above_idle_j is not None]
    per_unit = [energy.j_per_sample for energy in of_each if energy.j_per_sample is not None]
    return Used(
        total=sum(totals),
        above_rest=sum(above) if len(above) == len(of_each) else None,
        per_unit=sum(per_unit) if len(per_unit) == len(of_each) else None,
        sensor="counter" if all(energy.source == "counter" for energy in of_each) else "instant power",
    )


def joules_per_unit(result: Result) -> float | None:
    """Median over the timed trials of what all GPUs of a trial used per sample, image, token or call; null where one
    trial does not know it."""
    of_trials = [used(record) for record in result.timed]
    known = [one.per_unit for one in of_trials if one is not None and one.per_unit is not None]
    return median(known) if known and len(known) == len(of_trials) else None
