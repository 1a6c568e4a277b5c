"""Was a result reproduced? The new ratio to the baseline over the recorded one, against a bound."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from framebench.statistics.comparison import welch_error
from framebench.statistics.interval import t_quantile

SMALLEST_BOUND = 0.05
MOST_ROUNDS = 1000
ROUNDS_FOR_A_SPREAD = 2  # more than a single round: three, the fewest that carry a verdict


class Reproduced(NamedTuple):
    """``ratio`` is new / recorded; its 95 % interval is null where no spread is known.

    ``rounds_needed``: how many more rounds would probably decide; null when decided, or when even
    ``MOST_ROUNDS`` new ones would not (the recorded rounds alone are too few, or the ratio sits on the edge).
    """

    ratio: float
    low: float | None
    high: float | None
    bound: float
    verdict: Literal["reproduced", "not reproduced", "undecided"]
    rounds_needed: int | None


def bound(noise: float | None) -> float:
    """The accepted relative difference: 5 %, or the host's A/A noise (given as ln) if that is more."""
    return max(SMALLEST_BOUND, math.expm1(noise or 0.0))


def reproduced(
    recorded: NDArray[np.float64], new: NDArray[np.float64], noise: float | None = None
) -> Reproduced:
    """Per-round ``ln(time of contender / time of baseline)``, recorded and new; each at least one round.

    Difference of the two means with Welch's t. Where one side has a single round, its variance is taken
    to be the other's (same protocol, same pair); where both have, there is no interval. Reproduced if the
    interval lies inside +- ln(1 + bound), not reproduced if wholly outside, else undecided.
    """
    limit = bound(noise)
    edge = math.log1p(limit)
    center = float(new.mean() - recorded.mean())
    spreads = [float(side.var(ddof=1)) for side in (recorded, new) if len(side) > 1]
    if not spreads:
        return Reproduced(math.exp(center), None, None, limit, "undecided", ROUNDS_FOR_A_SPREAD)
    variances = (spreads[0], spreads[-1])  # a side with one round borrows the other's
    half = _half_width(variances, len(recorded), len(new))
    low, high = center - half, center + half
    answer: Literal["reproduced", "not reproduced", "undecided"] = "undecided"
    if -edge < low and high < edge:
        answer = "reproduced"
    elif low > edge or high < -edge:
        answer = "not reproduced"
    needed = None
    if answer == "undecided":
        needed = _rounds_needed(variances, len(recorded), len(new), abs(abs(center) - edge))
    return Reproduced(math.exp(center), math.exp(low), math.exp(high), limit, answer, needed)


def _half_width(variances: tuple[float, float], n_recorded: int, n_new: int) -> float:
    """Half-width (ln) of the 95 % interval on the difference of the two means."""
    if min(n_recorded, n_new) > 1:
        error, df = welch_error(variances[0], n_recorded, variances[1], n_new)
    else:  # one side lends the other its variance, with its own degrees of freedom
        error = math.sqrt(variances[0] / n_recorded + variances[1] / n_new)
        df = max(n_recorded, n_new) - 1
    return t_quantile(round(df, 1)) * error


def _rounds_needed(variances: tuple[float, float], n_recorded: int, n_new: int, room: float) -> int | None:
    """Fewest more rounds after which the expected half-width fits between estimate and bound."""
    more = range(1, MOST_ROUNDS + 1)
    return next((n for n in more if _half_width(variances, n_recorded, n_new + n) < room), None)
