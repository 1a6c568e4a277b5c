"""Quantiles of single steps (latency) with an interval: a bootstrap of two levels, steps within trials."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from framebench.statistics.interval import Estimate, t_quantile

MIN_TRIALS = 10
RESAMPLES = 10_000


def quantile_intervals(
    trials: Sequence[NDArray[np.int64] | NDArray[np.float64]],
    levels: Sequence[float],
    seed: int,
    resamples: int = RESAMPLES,
) -> list[Estimate]:
    """Quantiles (``levels``, e.g. 0.95) of all steps of all trials, each with its 95 % interval.

    ``trials`` holds one array of step times per trial, any unit. A quantile is the smallest time that at least that
    share of the steps does not exceed. Below ``MIN_TRIALS`` trials the intervals are null: so few do not tell how
    much trials differ.

    Trials are drawn with replacement and each brings all of its steps, drawn without replacement (Davison &
    Hinkley 1997, section 3.8; Ren et al., J. Appl. Stat. 37, 2010): drawing steps with replacement too would count
    their spread twice. Percentiles are taken further out than 2.5 and 97.5 %, so that the interval of a mean
    would be as wide as the t interval (Hesterberg, Am. Stat. 69, 2015). The same ``seed`` gives the same interval.
    ``ValueError`` without a step.
    """
    steps = [np.sort(trial) for trial in trials if len(trial)]
    if not steps:
        raise ValueError("a quantile needs at least one step")
    pooled = np.sort(np.concatenate(steps))
    n = len(steps)
    # below[j, i]: steps of trial i that do not exceed the j-th smallest of all.
    below = np.stack([np.searchsorted(trial, pooled, side="right") for trial in steps], axis=1)
    values = [float(pooled[_rank(below, np.ones((1, n), dtype=np.int64), level)[0]]) for level in levels]
    if n < MIN_TRIALS:
        return [Estimate(value, None, None, n) for value in values]
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1.0 / n), size=resamples)
    tail = float(ndtr(-math.sqrt(n / (n - 1)) * t_quantile(n - 1)))
    estimates = []
    for level, value in zip(levels, values, strict=True):
        low, high = np.quantile(pooled[_rank(below, drawn, level)], [tail, 1.0 - tail])
        estimates.append(Estimate(value, float(low), float(high), n))
    return estimates


def _rank(below: NDArray[np.int64], drawn: NDArray[np.int64], level: float) -> NDArray[np.int64]:
    """Position of the quantile among the pooled steps for each row of ``drawn`` (how often each trial was drawn).

    Bisection over all rows at once: the first position with enough of the drawn steps at or below it.
    """
    needed = np.ceil(level * (drawn @ below[-1]) - 1e-9)
    low = np.zeros(len(drawn), dtype=np.int64)
    high = np.full(len(drawn), len(below) - 1)
    while (low < high).any():
        middle = (low + high) // 2
        reached = np.einsum("ri,ri->r", drawn, below[middle]) >= needed
        high = np.where(reached, middle, high)
        low = np.where(reached, low, middle + 1)
    return low
