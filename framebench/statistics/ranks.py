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


def surely_faster(pairs: Mapping[tuple[int, int], LogRatio], equal_within: float) -> list[tuple[int, int]]:
    """The faster and the slower one of each pair of which it is sure.

    ``pairs[i, j]``, each pair once, is the ln of the time of ``i`` over that of ``j``. Surely: outside
    +- ``equal_within`` (ln) by Holm's correction over all pairs at 5 %. All pairs are asked, so whichever is looked at
    afterwards, because it came out best, costs nothing more.
    """
    adjusted = holm([_p(ratio, equal_within) for ratio in pairs.values()])
    return [
        pair if ratio.log_ratio < 0 else (pair[1], pair[0])
        for (pair, ratio), p in zip(pairs.items(), adjusted, strict=True)
        if p is not None and p <= 1 - CONFIDENCE
    ]


def rank_ranges(
    contenders: int, pairs: Mapping[tuple[int, int], LogRatio], equal_within: float
) -> list[RankRange]:
    """``1 + those surely faster`` to ``contenders - those surely slower``, by contender.

    As ``surely_faster`` has it, so that with 95 % confidence every range at once holds the true place (Mogstad, Romano,
    Shaikh & Wilhelm, Review of Economic Studies 91, 2024, on ranks from simultaneous pairwise tests). A pair that is
    missing or has no error leaves both orders open.
    """
    faster, slower = [0] * contenders, [0] * contenders
    for quick, slow in surely_faster(pairs, equal_within):
        faster[slow] += 1
        slower[quick] += 1
    return [RankRange(1 + before, contenders - after) for before, after in zip(faster, slower, strict=True)]


def _p(ratio: LogRatio, equal_within: float) -> float | None:
    if ratio.standard_error is None or ratio.df is None:
        return None
    return p_outside(ratio.log_ratio, ratio.standard_error, ratio.df, equal_within)
