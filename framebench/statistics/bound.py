"""Does a measured quantity keep to its bound? Its interval is held against the bound, never its point.

A point would fail a quantity that sits on its bound half of the time, and pass a wild guess.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

from framebench.statistics.binomial import clopper_pearson
from framebench.statistics.interval import Estimate, t_quantile

Answer = Literal["pass", "fail", "undecided"]

MOST_MORE = 10_000


class Judged(NamedTuple):
    """``more``: how many more values would probably decide an undecided answer.

    Null when it is decided, when fewer than two values tell no spread, or when ``MOST_MORE`` would not do.
    """

    answer: Answer
    more: int | None


def judge(
    low: float | None, high: float | None, *, at_least: float = -math.inf, at_most: float = math.inf
) -> Answer:
    """``pass`` if the interval lies wholly within the bounds, ``fail`` if wholly outside, else ``undecided``.

    Also ``undecided`` without an interval (null ends).
    """
    if low is None or high is None:
        return "undecided"
    if at_least <= low and high <= at_most:
        return "pass"
    return "fail" if high < at_least or low > at_most else "undecided"


def judge_mean(estimate: Estimate, *, at_least: float = -math.inf, at_most: float = math.inf) -> Judged:
    """A mean with its t interval against bounds, all on the scale where the interval is symmetric.

    For a ratio that is its ln. ``more`` assumes that mean and spread stay as they are.
    """
    answer = judge(estimate.low, estimate.high, at_least=at_least, at_most=at_most)
    if answer != "undecided" or estimate.low is None or estimate.high is None:
        return Judged(answer, None)
    n = estimate.n
    spread = (estimate.high - estimate.low) / 2 * math.sqrt(n) / t_quantile(n - 1)

    def decides(more: int) -> bool:
        half = t_quantile(n + more - 1) * spread / math.sqrt(n + more)
        ends = estimate.value - half, estimate.value + half
        return judge(*ends, at_least=at_least, at_most=at_most) != "undecided"

    # The interval only shrinks around its middle, so once decided it stays decided: bisection.
    if not decides(MOST_MORE):
        return Judged(answer, None)
    low, high = 0, MOST_MORE
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if decides(middle) else (middle, high)
    return Judged(answer, high)


def judge_share(k: int, n: int, *, at_least: float = 0.0, at_most: float = 1.0) -> Judged:
    """``k`` of ``n`` against bounds of the true share, by its exact interval.

    ``more`` assumes that the share stays as it is. ``ValueError`` unless ``0 <= k <= n`` and ``n >= 1``.
    """
    answer = judge(*clopper_pearson(k, n), at_least=at_least, at_most=at_most)
    if answer != "undecided":
        return Judged(answer, None)
    for more in range(1, MOST_MORE + 1):
        ends = clopper_pearson(round(k * (n + more) / n), n + more)
        if judge(*ends, at_least=at_least, at_most=at_most) != "undecided":
            return Judged(answer, more)
    return Judged(answer, None)
