"""What watching costs: trials time the same blocks with the sampler and without it, side by side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from framebench.statistics.interval import Estimate, time_interval
from harness.record import Block, Record


def observer_ratio(records: Iterable[Record]) -> Estimate | None:
    """Time of a step with the sampler over without it: one ratio per trial, t interval on their logarithms.

    Wall time, run-queue wait included: the sampler is one of those whom the work waits for. Null without a trial
    that measured it.
    """
    effects = [record.timing.observer for record in records if record.timing and record.timing.observer]
    ratios = [_step_ns(effect.on) / _step_ns(effect.off) for effect in effects]
    return time_interval(ratios) if ratios else None


def _step_ns(blocks: Sequence[Block]) -> float:
    return median(block.wall_ns / block.steps for block in blocks)
