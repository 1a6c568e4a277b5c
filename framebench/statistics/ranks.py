"""Ranks with their uncertainty: which places a contender may have, given who is surely faster than whom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from framebench.statistics.geomean import LogRatio
from framebench.statistics.holm import holm
from framebench.statistics.interval import CONFIDENCE
from framebench.statistics.verdict import p_outside


class RankRange(NamedTuple):
    """From the best place to the worst that the data leave open; 1 is the fastest."""

    best: int
    worst: int


def rank_ranges(
    contenders: int, pairs: Mapping[tuple[int, int], LogRatio], equal_within: float
) -> list[RankRange]:
    """``1 + those surely faster`` to ``contenders - those surely slower``, by contender.

    ``pairs[i, j]``, each pair once, is the ln of the time of ``i`` over that of ``j``. Surely: outside
    +- ``equal_within`` (ln) by Holm's correction over all pairs at 5 %, so that with 95 % confidence every range at
    once holds the true place (Mogstad, Romano, Shaikh & Wilhelm, Review of Economic Studies 91, 2024, on ranks from
    simultaneous pairwise tests). A pair that is missing or has no error leaves both orders open.
    """
    adjusted = holm([_p(ratio, equal_within) for ratio in pairs.values()])
    faster, slower = [0] * contenders, [0] * contenders
    for ((one, other), ratio), p in zip(pairs.items(), adjusted, strict=True):
        if p is None or p > 1 - CONFIDENCE:
            continue
        quick, slow = (one, other) if ratio.log_ratio < 0 else (other, one)
        faster[slow] += 1
        slower[quick] += 1
    return [RankRange(1 + before, contenders - after) for before, after in zip(faster, slower, strict=True)]


def _p(ratio: LogRatio, equal_within: float) -> float | None:
    if ratio.standard_error is None or ratio.df is None:
        return None
    return p_outside(ratio.log_ratio, ratio.standard_error, ratio.df, equal_within)
