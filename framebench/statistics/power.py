"""Power: how often a campaign finds a difference that is there. Simulated through the very path of the verdicts.

The model is the one the comparisons assume: ``ln time = round + contender + error``. The rounds' own ups and downs
cancel in it, so only the spread of the errors counts.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from framebench.statistics.binomial import clopper_pearson
from framebench.statistics.comparison import MIN_ROUNDS
from framebench.statistics.family import judge_case
from framebench.statistics.interval import Estimate

MOST_ROUNDS = 200


class Power(NamedTuple):
    """Shares of simulated campaigns with their exact 95 % intervals, which are the simulation's error.

    ``found``: the planted difference was called what it is; ``wrong``: it was called the opposite.
    """

    found: Estimate
    wrong: Estimate


def power(
    delta_ln: float,
    spread_ln: float,
    rounds: int,
    contenders: int = 2,
    *,
    equal_within: float,
    seed: int,
    simulations: int = 2000,
) -> Power:
    """How often one of ``contenders`` whose true time is ``delta_ln`` (ln) off the baseline's is found.

    The other contenders are as fast as the baseline. ``spread_ln`` is the standard deviation (ln) of one trial about
    its round; ``equal_within`` the margin of the verdicts (ln).
    """
    random = np.random.default_rng(seed)
    right, opposite = ("slower", "faster") if delta_ln > 0 else ("faster", "slower")
    called_right = wrong = 0
    for _ in range(simulations):
        table = random.normal(0.0, spread_ln, (rounds, contenders))
        table[:, 1] += delta_ln
        judged = judge_case(table, 0, equal_within)[1]
        called_right += judged is not None and judged.verdict == right
        wrong += judged is not None and judged.verdict == opposite
    return Power(_share(called_right, simulations), _share(wrong, simulations))


def rounds_needed(
    delta_ln: float,
    spread_ln: float,
    contenders: int = 2,
    *,
    equal_within: float,
    seed: int,
    wanted: float = 0.95,
    simulations: int = 1000,
) -> int | None:
    """Fewest rounds whose simulated power reaches ``wanted``; arguments as for ``power``.

    Null where ``MOST_ROUNDS`` are not enough, as for every difference within the margin.
    """

    def enough(rounds: int) -> bool:
        estimate = power(
            delta_ln,
            spread_ln,
            rounds,
            contenders,
            equal_within=equal_within,
            seed=seed,
            simulations=simulations,
        )
        return estimate.found.value >= wanted

    if abs(delta_ln) <= equal_within:
        return None
    low, high = MIN_ROUNDS - 1, MIN_ROUNDS
    while not enough(high):
        if high == MOST_ROUNDS:
            return None
        low, high = high, min(2 * high, MOST_ROUNDS)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _share(k: int, n: int) -> Estimate:
    return Estimate(k / n, *clopper_pearson(k, n), n)
