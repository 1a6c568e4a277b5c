"""Quantiles of steps: the definition, the seed, and what the interval must and must not depend on."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from framebench.statistics.bootstrap import quantile_intervals


def trials(count: int, steps: int = 100, between: float = 0.02, within: float = 0.03) -> list[np.ndarray]:
    random = np.random.default_rng(count)
    return [np.exp(random.normal(random.normal(0.0, between), within, steps)) for _ in range(count)]


def test_the_quantile_is_that_of_all_steps() -> None:
    found = trials(12)
    pooled = np.concatenate(found)
    for level, estimate in zip(
        (0.5, 0.9, 0.95, 0.99), quantile_intervals(found, [0.5, 0.9, 0.95, 0.99], 1), strict=True
    ):
        assert estimate.value == np.quantile(pooled, level, method="inverted_cdf")
        assert estimate.n == 12 and estimate.low is not None and estimate.high is not None
        assert estimate.low <= estimate.value <= estimate.high


def test_below_ten_trials_there_is_a_quantile_but_no_interval() -> None:
    (nine,) = quantile_intervals(trials(9), [0.95], 1)
    assert nine.value > 0 and (nine.low, nine.high, nine.n) == (None, None, 9)
    (ten,) = quantile_intervals(trials(10), [0.95], 1)
    assert ten.low is not None


def test_the_seed_decides_and_nothing_else() -> None:
    found = trials(10)
    again = quantile_intervals(found, [0.5, 0.95], 7)
    assert quantile_intervals(found, [0.5, 0.95], 7) == again
    assert quantile_intervals(found, [0.95], 7) == again[1:]  # nor which other levels are asked for
    assert quantile_intervals([trial[::-1] for trial in found], [0.5, 0.95], 7) == again
    assert quantile_intervals(found, [0.5, 0.95], 8) != again


def test_where_trials_are_all_that_differs_it_is_as_wide_as_the_t_interval() -> None:
    random = np.random.default_rng(3)
    offsets = random.normal(0.0, 0.02, 40)
    # A median over steps that are symmetric about each trial's offset moves as the mean of the offsets does.
    found = [offset + np.linspace(-0.5, 0.5, 201) for offset in offsets]
    (estimate,) = quantile_intervals(found, [0.5], 1)
    assert estimate.low is not None and estimate.high is not None
    expected = stats.t.ppf(0.975, 39) * offsets.std(ddof=1) / math.sqrt(40)
    assert (estimate.high - estimate.low) / 2 == pytest.approx(expected, rel=0.1)


def test_an_agreeing_set_of_trials_has_a_point_for_an_interval() -> None:
    (estimate,) = quantile_intervals([np.arange(1, 101)] * 10, [0.95], 1)
    assert estimate[:3] == (95.0, 95.0, 95.0)


def test_no_step_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one step"):
        quantile_intervals([np.array([])], [0.5], 1)
