"""One number over several cases, with those it lacks named."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from framebench.statistics.interval import t_quantile


class LogRatio(NamedTuple):
    """ln ratio of one case, its standard error and degrees of freedom (null where unknown)."""

    log_ratio: float
    standard_error: float | None
    df: float | None


class GeometricMean(NamedTuple):
    """Null when every ratio is missing; ``missing`` names the cases without one, ``n`` counts the others.

    ``low`` and ``high`` are the 95 % interval for exactly these cases; null unless each has its own error.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    missing: tuple[str, ...]


def geometric_mean(ratios: Mapping[str, LogRatio | None]) -> GeometricMean:
    """``exp(mean(ln ratio))`` over the cases that have a ratio (Fleming & Wallace, CACM 29, 1986).

    The only mean of ratios that does not depend on which contender is the baseline. Cases are measured in
    trials of their own, so their errors are independent: ``mean +- t * sqrt(sum of squared errors) / n``, df
    after Satterthwaite. It describes this suite and says nothing of other workloads; it carries no verdict.
    """
    known = [ratio for ratio in ratios.values() if ratio is not None]
    missing = tuple(name for name, ratio in ratios.items() if ratio is None)
    n = len(known)
    if not known:
        return GeometricMean(None, None, None, 0, missing)
    mean, error, df = mean_log_ratio(known)
    if error is None or df is None:
        return GeometricMean(math.exp(mean), None, None, n, missing)
    half = t_quantile(df) * error
    return GeometricMean(math.exp(mean), math.exp(mean - half), math.exp(mean + half), n, missing)


def mean_log_ratio(known: Sequence[LogRatio]) -> LogRatio:
    """Mean ln ratio of at least one case, its standard error ``sqrt(sum of squared errors) / n`` and Satterthwaite's
    df; the latter two are null where one case has no error of its own."""
    n = len(known)
    mean = math.fsum(ratio.log_ratio for ratio in known) / n
    variances = []
    for ratio in known:
        if ratio.standard_error is None or ratio.df is None:
            return LogRatio(mean, None, None)
        variances.append((ratio.standard_error**2, ratio.df))
    total = math.fsum(variance for variance, _ in variances)
    if total == 0.0:
        return LogRatio(mean, 0.0, math.fsum(df for _, df in variances))
    df = 1.0 / math.fsum((variance / total) ** 2 / df for variance, df in variances)
    return LogRatio(mean, math.sqrt(total) / n, df)
