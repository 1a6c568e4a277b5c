"""Quantiles of steps over trials: the seed, and how wide the interval must be."""

from __future__ import annotations

import math

import numpy as np
import pytest

from framebench.statistics.bootstrap import quantile_interval
from framebench.statistics.interval import time_interval


def quantiles(trials: int, spread: float = 0.03) -> list[float]:
    return np.random.default_rng(trials).lognormal(18.0, spread, trials).tolist()


def test_below_ten_trials_there_is_a_quantile_but_no_interval() -> None:
    nine = quantile_interval(quantiles(9), 1)
    assert nine.value == pytest.approx(math.exp(np.log(quantiles(9)).mean()))
    assert nine[1:] == (None, None, 9)
    ten = quantile_interval(quantiles(10), 1)
    assert ten.low is not None and ten.high is not None and ten.low < ten.value < ten.high


def test_the_seed_decides_and_nothing_else() -> None:
    again = quantile_interval(quantiles(12), 7)
    assert quantile_interval(quantiles(12), 7) == again
    assert quantile_interval(quantiles(12), 8) != again


@pytest.mark.parametrize("trials", [10, 20])
def test_of_an_even_spread_it_is_as_wide_as_the_t_interval(trials: int) -> None:
    times = quantiles(trials)
    one, other = quantile_interval(times, 1), time_interval(times)
    assert one.low and one.high and other.low and other.high
    assert math.log(one.high / one.low) == pytest.approx(math.log(other.high / other.low), rel=0.07)


def test_the_truth_is_held_as_often_as_is_claimed() -> None:
    random = np.random.default_rng(3)
    held = 0
    for seed in range(800):
        found = quantile_interval(np.exp(random.normal(0.0, 0.02, 10)).tolist(), seed, resamples=1000)
        assert found.low is not None and found.high is not None
        held += found.low <= 1.0 <= found.high
    assert 0.93 <= held / 800 <= 0.97


def test_an_uneven_spread_makes_it_lopsided() -> None:
    found = quantile_interval([1.0] * 11 + [2.0], 1)
    assert found.low == 1.0 and found.high is not None and found.high > found.value


def test_no_trial_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one trial"):
        quantile_interval([], 1)
