"""The interval of a quantile of step times (latency) over trials: a bootstrap."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr

from framebench.statistics.interval import Estimate, t_quantile

MIN_TRIALS = 10
RESAMPLES = 10_000


def quantile_interval(times: Sequence[float], seed: int, resamples: int = RESAMPLES) -> Estimate:
    """Geometric mean of one quantile (say p95) of each trial's steps, with its 95 % interval.

    ``times``: positive, one per trial, any unit. Below ``MIN_TRIALS`` trials the interval is null: so few do not tell
    how unevenly a quantile is spread. The same ``seed`` gives the same interval. ``ValueError`` without a trial.

    A bootstrap of two levels: trials are drawn with replacement, and each brings its steps as they are, drawn
    without replacement, so its quantile stands (Davison & Hinkley 1997, section 3.8; Ren et al., J. Appl. Stat. 37,
    2010). Drawing steps anew as well would count their spread twice, for a trial's quantile holds it already.
    Percentiles are taken as far out as makes the interval of a mean as wide as the t interval (Hesterberg,
    Am. Stat. 69, 2015); at 2.5 and 97.5 % the interval of 10 trials would hold the truth 90 % of the time.
    """
    n = len(times)
    if n == 0:
        raise ValueError("an interval needs at least one trial")
    logs = np.log(times)
    value = math.exp(logs.mean())
    if n < MIN_TRIALS:
        return Estimate(value, None, None, n)
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1.0 / n), size=resamples)
    tail = float(ndtr(-math.sqrt(n / (n - 1)) * t_quantile(n - 1)))
    low, high = np.exp(np.quantile(drawn @ logs / n, [tail, 1.0 - tail]))
    return Estimate(value, float(low), float(high), n)
