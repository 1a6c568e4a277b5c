"""What a result's GPUs used: joules per unit of work."""

from __future__ import annotations

from statistics import median

from framebench.dataset.result import Result
from harness.record import Record


def joules_per_unit(result: Result) -> float | None:
    """Median over the timed trials of what all GPUs of a trial used per sample, image, token or call; null where one
    trial does not know it."""
    used = [_of_trial(record) for record in result.timed]
    known = [joules for joules in used if joules is not None]
    return median(known) if known and len(known) == len(used) else None


def _of_trial(record: Record) -> float | None:
    gpus = record.telemetry.gpus if record.telemetry else []
    used = [gpu.energy.j_per_sample if gpu.energy else None for gpu in gpus]
    known = [joules for joules in used if joules is not None]
    return sum(known) if known and len(known) == len(used) else None
