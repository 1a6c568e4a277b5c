"""The verdicts of one case: its comparisons with the baseline, judged together as Holm's fixed family."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from framebench.statistics.comparison import Comparison, Table, compare_case
from framebench.statistics.holm import holm
from framebench.statistics.verdict import Verdict, p_value, verdict


class Judged(NamedTuple):
    """One contender against the baseline; ``adjusted_p`` is null outside the family."""

    comparison: Comparison
    adjusted_p: float | None
    verdict: Verdict


def judge_case(
    log_times: Table, baseline: int, equal_within: float, apart: Collection[int] = ()
) -> list[Judged | None]:
    """Every column of ``log_times`` (rounds, contenders), ln, against column ``baseline``, in column order.

    The family is the baseline against each other contender; the columns ``apart`` (A/A twins) are compared
    but take no part in it. ``equal_within`` is the margin (ln). Null where there is no comparison.
    """
    compared = compare_case(log_times, baseline)
    adjusted = holm(
        [
            None if comparison is None or column in apart else p_value(comparison, equal_within)
            for column, comparison in enumerate(compared)
        ]
    )
    return [
        None if comparison is None else Judged(comparison, p, verdict(comparison, equal_within, p))
        for comparison, p in zip(compared, adjusted, strict=True)
    ]
