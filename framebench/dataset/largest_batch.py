"""The largest batch that fits into memory, of those that were tried; between and beyond them nothing is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from framebench.dataset.result import Result


class TriedBatches(NamedTuple):
    """``fitted``: a memory or timing trial ended well. ``too_large``: one ran out of memory. Both ascend; a trial that
    failed in another way says nothing of memory."""

    fitted: list[int]
    too_large: list[int]


def tried_batches(by_batch: Mapping[int, Sequence[Result]]) -> TriedBatches:
    """Of one contender."""
    ended = {
        (batch, record.outcome.status)
        for batch, results in by_batch.items()
        for result in results
        for record in (*result.trials.get("memory", ()), *result.trials.get("timing", ()))
    }
    return TriedBatches(*(sorted(batch for batch, how in ended if how == status) for status in ("ok", "oom")))
