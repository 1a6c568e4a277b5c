"""From an interval to a word: faster, slower, tied, undecided."""

from __future__ import annotations

import math
from typing import Literal

from scipy.special import stdtr

from framebench.statistics.comparison import MIN_ROUNDS, Comparison
from framebench.statistics.interval import CONFIDENCE

Verdict = Literal["faster", "slower", "tied", "undecided", "no verdict"]

SMALLEST_MEANINGFUL = 0.01


def margin(noise: float | None) -> float:
    """Half-width (ln) of what counts as equal: 1 %, or the host's own A/A noise (ln) if that is more."""
    return max(math.log1p(SMALLEST_MEANINGFUL), noise or 0.0)


def p_value(comparison: Comparison, equal_within: float) -> float | None:
    """Two-sided p of "the true ln ratio lies within +- ``equal_within``"; null below 3 rounds.

    Twice the smaller one-sided p at the nearer edge, so ``p <= 0.05`` exactly where the 95 % interval
    lies wholly outside the margin. This is what Holm's correction works on.
    """
    ratio, error, df, low, high, rounds, _ = comparison
    if rounds < MIN_ROUNDS or error is None or df is None or low is None or high is None:
        return None
    return p_outside(ratio, error, df, equal_within)


def p_outside(ratio: float, error: float, df: float, equal_within: float) -> float:
    """``p_value`` of an estimate: ln ratio, its standard error and degrees of freedom."""
    distance = abs(ratio) - equal_within
    if error == 0.0:
        return 0.0 if distance > 0.0 else 1.0
    return min(1.0, 2.0 * float(stdtr(df, -distance / error)))


def verdict(comparison: Comparison, equal_within: float, adjusted_p: float | None = None) -> Verdict:
    """The contender against the baseline: a negative ln ratio of times is faster.

    Faster or slower only if the interval lies outside +- ``equal_within`` and Holm's adjusted p, where
    given, agrees; tied if the interval lies inside (two one-sided tests, Schuirmann 1987); otherwise
    undecided. No verdict below 3 rounds.
    """
    if comparison.rounds < MIN_ROUNDS or comparison.low is None or comparison.high is None:
        return "no verdict"
    if -equal_within < comparison.low and comparison.high < equal_within:
        return "tied"
    if adjusted_p is not None and adjusted_p > 1 - CONFIDENCE:
        return "undecided"
    if comparison.high < -equal_within:
        return "faster"
    if comparison.low > equal_within:
        return "slower"
    return "undecided"
