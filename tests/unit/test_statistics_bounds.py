"""Shares, bounds and power: intervals against bounds, never points."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from framebench.statistics.binomial import clopper_pearson
from framebench.statistics.bound import judge, judge_mean, judge_share
from framebench.statistics.interval import Estimate, mean_interval
from framebench.statistics.power import power, rounds_needed
from framebench.statistics.verdict import margin

EDGE = margin(None)


class TestClopperPearson:
    @pytest.mark.parametrize(("k", "n"), [(0, 100), (1, 100), (5, 100), (37, 40), (40, 40), (0, 1)])
    def test_against_scipy(self, k: int, n: int) -> None:
        expected = stats.binomtest(k, n).proportion_ci(0.95, method="exact")
        assert clopper_pearson(k, n) == pytest.approx((expected.low, expected.high))

    def test_it_covers_every_share_at_least_95_times_in_100(self) -> None:
        ends = [clopper_pearson(k, 30) for k in range(31)]
        for share in np.linspace(0.01, 0.99, 50):
            held = np.array([low <= share <= high for low, high in ends])
            assert stats.binom.pmf(np.arange(31), 30, share)[held].sum() >= 0.95

    @pytest.mark.parametrize(("k", "n"), [(0, 0), (-1, 5), (6, 5)])
    def test_no_share(self, k: int, n: int) -> None:
        with pytest.raises(ValueError, match="no share"):
            clopper_pearson(k, n)


class TestBound:
    @pytest.mark.parametrize(
        ("low", "high", "answer"),
        [
            (0.995, 1.005, "pass"),
            (0.99, 1.01, "pass"),
            (0.98, 0.989, "fail"),
            (1.011, 1.2, "fail"),
            (0.985, 1.0, "undecided"),
            (0.9, 1.1, "undecided"),
            (None, None, "undecided"),
        ],
    )
    def test_an_interval_against_two_bounds(self, low: float | None, high: float | None, answer: str) -> None:
        assert judge(low, high, at_least=0.99, at_most=1.01) == answer

    def test_the_rounds_it_names_decide_and_fewer_do_not(self) -> None:
        values = 0.003 + 0.03 * np.array([-1.0, 0.5, 0.5, -0.5, 0.5])
        found = judge_mean(mean_interval(values.tolist()), at_least=-0.01, at_most=0.01)
        assert found.answer == "undecided" and found.more is not None
        mean, spread = values.mean(), values.std(ddof=1)
        for more, decided in ((found.more, True), (found.more - 1, False)):
            n = 5 + more
            half = stats.t.ppf(0.975, n - 1) * spread / math.sqrt(n)
            assert (judge(mean - half, mean + half, at_least=-0.01, at_most=0.01) == "pass") is decided

    def test_a_mean_on_the_edge_is_never_decided(self) -> None:
        assert judge_mean(Estimate(0.01, 0.0, 0.02, 5), at_most=0.01) == ("undecided", None)
        assert judge_mean(Estimate(0.5, None, None, 1), at_most=0.01) == ("undecided", None)
        assert judge_mean(Estimate(0.0, -0.001, 0.001, 5), at_most=0.01) == ("pass", None)

    def test_a_share_fails_only_when_its_lower_limit_is_beyond_the_bound(self) -> None:
        assert judge_share(0, 100, at_most=0.05) == ("pass", None)
        assert judge_share(6, 100, at_most=0.05).answer == "undecided"  # as a point it would fail
        assert judge_share(13, 100, at_most=0.05) == ("fail", None)

    def test_a_share_says_how_many_more_would_decide(self) -> None:
        found = judge_share(2, 100, at_most=0.05)
        assert found.answer == "undecided" and found.more is not None
        more = found.more
        assert judge_share(round(2 * (100 + more) / 100), 100 + more, at_most=0.05).answer == "pass"


class TestPower:
    def test_it_agrees_with_the_noncentral_t(self) -> None:
        delta, spread, rounds = 0.03, 0.01, 5
        found = power(delta, spread, rounds, equal_within=EDGE, seed=1, simulations=3000).found
        # The interval must lie beyond the margin: a one-sided t test of delta - margin, on differences of pairs.
        noncentrality = (delta - EDGE) / (spread * math.sqrt(2 / rounds))
        expected = stats.nct.sf(stats.t.ppf(0.975, rounds - 1), rounds - 1, noncentrality)
        assert found.low is not None and found.high is not None and found.low <= expected <= found.high

    def test_a_speed_up_counts_as_found_too_and_the_opposite_never_happens(self) -> None:
        found = power(-0.05, 0.005, 5, equal_within=EDGE, seed=1, simulations=200)
        assert found.found.value > 0.99 and found.wrong.value == 0.0
        assert found.wrong.high is not None and found.wrong.high < 0.02

    def test_more_contenders_cost_power_by_holm_and_bring_some_by_the_pooled_error(self) -> None:
        two, seven = (
            power(0.03, 0.01, 5, k, equal_within=EDGE, seed=2, simulations=1000).found.value for k in (2, 7)
        )
        assert seven != two and min(two, seven) > 0.4

    def test_the_same_seed_gives_the_same_figure(self) -> None:
        assert power(0.02, 0.01, 5, equal_within=EDGE, seed=3, simulations=100) == power(
            0.02, 0.01, 5, equal_within=EDGE, seed=3, simulations=100
        )

    def test_rounds_for_95_in_100(self) -> None:
        needed = rounds_needed(0.03, 0.01, equal_within=EDGE, seed=4, simulations=400)
        assert needed is not None
        for rounds, enough in ((needed, True), (needed - 1, False)):
            share = power(0.03, 0.01, rounds, equal_within=EDGE, seed=4, simulations=400).found.value
            assert (share >= 0.95) is enough

    def test_what_counts_as_equal_is_never_found(self) -> None:
        assert rounds_needed(0.009, 0.01, equal_within=EDGE, seed=1) is None
        assert rounds_needed(0.011, 0.05, equal_within=EDGE, seed=1, simulations=50) is None
