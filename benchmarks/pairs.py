"""Two ways of doing the same, timed in pairs, each pair in random order: the ratio of their times and a verdict."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, TypeVar

T_95 = {10: 2.262, 20: 2.093, 30: 2.045, 60: 2.001}
"""Student's t, 0.975, by the number of pairs; an image has no SciPy."""

Verdict = Literal["pass", "fail", "undecided"]
Times = TypeVar("Times")


class Ratio(NamedTuple):
    """Geometric mean of the pairs' ratios with its 95 % t interval; ``spread``: standard deviation of one ln ratio."""

    value: float
    low: float
    high: float
    spread: float

    def __str__(self) -> str:
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"

    def judge(self, *, at_least: float = 0.0, at_most: float = math.inf) -> Verdict:
        """The interval, never the point, against the bounds: wholly inside, wholly outside, or neither."""
        if at_least <= self.low and self.high <= at_most:
            return "pass"
        return "fail" if self.high < at_least or self.low > at_most else "undecided"


def interleaved(
    one: Callable[[], Times], other: Callable[[], Times], pairs: int, seed: int = 0
) -> list[tuple[Times, Times]]:
    """What each gives, pair by pair; who goes first is drawn anew for every pair."""
    order = random.Random(seed)
    found = []
    for _ in range(pairs):
        if order.random() < 0.5:
            first = one()
            found.append((first, other()))
        else:
            first = other()
            found.append((one(), first))
    return found


def ratio(times: Sequence[tuple[float, float]]) -> Ratio:
    """One's time over the other's."""
    logs = [math.log(one / other) for one, other in times]
    mean, spread = statistics.mean(logs), statistics.stdev(logs)
    half = T_95[len(logs)] * spread / math.sqrt(len(logs))
    return Ratio(math.exp(mean), math.exp(mean - half), math.exp(mean + half), spread)
