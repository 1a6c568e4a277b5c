"""Times of trials of which each is a fresh process: their median, and how far they lie apart."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple


class Spread(NamedTuple):
    """Wall times in ns over ``trials`` trials."""

    median_ns: float
    shortest_ns: float
    longest_ns: float
    trials: int


def spread(times: Sequence[float]) -> Spread:
    """Of at least one time."""
    return Spread(median(times), min(times), max(times), len(times))
