"""Do two contenders learn equally well? Paired differences of final accuracy against a bound."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from framebench.statistics.interval import mean_interval

ONE_POINT = 0.01


class Equivalence(NamedTuple):
    """Mean difference of accuracy (share, 0.01 = one point) with its 95 % interval; ``rounds`` pairs."""

    difference: float
    low: float | None
    high: float | None
    rounds: int
    answer: Literal["equivalent", "different", "undecided"]


def accuracy_equivalence(
    contender: Sequence[float], baseline: Sequence[float], bound: float = ONE_POINT
) -> Equivalence:
    """Both accuracies per shared round, in the same order (round r has seed r in every stack).

    t interval on the paired differences: equivalent if inside +- ``bound`` (Schuirmann 1987), different
    if wholly outside, else undecided. Undecided below two rounds, where there is no interval.
    """
    differences = [one - other for one, other in zip(contender, baseline, strict=True)]
    mean, low, high, rounds = mean_interval(differences)
    if low is None or high is None:
        return Equivalence(mean, low, high, rounds, "undecided")
    if -bound < low and high < bound:
        return Equivalence(mean, low, high, rounds, "equivalent")
    outside = low > bound or high < -bound
    return Equivalence(mean, low, high, rounds, "different" if outside else "undecided")
