"""A/A noise: how far apart two names of the same contender come out on one host."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from framebench.statistics.interval import t_quantile


class Noise(NamedTuple):
    """Upper 95 % limit of |ln ratio| between two names of one contender, and what it rests on."""

    limit: float
    pairs: int
    rounds: int


def aa_noise(pairs: Sequence[NDArray[np.float64]]) -> Noise | None:
    """The noise of a host from all its A/A pairs; null without any.

    Each pair is an array of ``ln(time of twin / time of original)``, one value per shared round. Their
    true mean is 0, so no mean is subtracted. The limit is the larger of
    - ``t(0.975, N) * rms(all N differences) / sqrt(h)`` with h the harmonic mean of the pairs' rounds:
      how far a mean over so many rounds strays when rounds are independent, and
    - ``1.96 * rms(means of the pairs)``: the same from the means themselves, which also holds an offset
      that stays through a pair's rounds. With few pairs the first, with many the second is the better one.
    """
    pairs = [pair for pair in pairs if len(pair)]
    if not pairs:
        return None
    differences = np.concatenate(pairs)
    total = len(differences)
    rounds = len(pairs) / sum(1.0 / len(pair) for pair in pairs)
    by_round = t_quantile(total) * math.sqrt(float((differences**2).mean()) / rounds)
    means = np.array([pair.mean() for pair in pairs])
    by_pair = 1.96 * math.sqrt(float((means**2).mean()))
    return Noise(max(by_round, by_pair), len(pairs), total)
