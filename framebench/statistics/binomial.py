"""The interval of a share: how often something truly happens that happened k times in n."""

from __future__ import annotations

from scipy.special import betaincinv

from framebench.statistics.interval import CONFIDENCE


def clopper_pearson(k: int, n: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The exact interval of a binomial share, ``(low, high)`` (Clopper & Pearson, Biometrika 26, 1934).

    Covers the true share at least ``confidence`` of the time, whatever that share is. ``ValueError`` unless
    ``0 <= k <= n`` and ``n >= 1``.
    """
    if n < 1 or not 0 <= k <= n:
        raise ValueError(f"{k} of {n} is no share: expected 0 <= k <= n and n >= 1")
    tail = (1.0 - confidence) / 2
    low = 0.0 if k == 0 else float(betaincinv(k, n - k + 1, tail))
    high = 1.0 if k == n else float(betaincinv(k + 1, n - k, 1.0 - tail))
    return low, high
