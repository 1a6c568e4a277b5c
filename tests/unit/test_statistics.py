"""The formulas against textbook and SciPy values, and the rules at their edges."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from framebench.statistics.comparison import brown_forsythe, compare_case, paired, welch
from framebench.statistics.equivalence import accuracy_equivalence
from framebench.statistics.family import judge_case
from framebench.statistics.geomean import LogRatio, geometric_mean
from framebench.statistics.holm import holm
from framebench.statistics.interval import mean_interval, throughput_interval, time_interval
from framebench.statistics.noise import aa_noise
from framebench.statistics.ratio_of_ratios import bound, reproduced
from framebench.statistics.verdict import margin, p_value, verdict

NAN = float("nan")


def table(rounds: int, ratios: list[float], spread: float, seed: int = 1) -> np.ndarray:
    """(rounds, contenders) of ln times with strong round effects."""
    random = np.random.default_rng(seed)
    drift = random.normal(0.0, 0.2, (rounds, 1))
    return np.log(ratios) + drift + random.normal(0.0, spread, (rounds, len(ratios)))


class TestInterval:
    def test_against_scipy(self) -> None:
        times = [101.0, 99.5, 103.2, 100.1, 98.7]
        logs = np.log(times)
        low, high = stats.t.interval(0.95, 4, logs.mean(), stats.sem(logs))
        assert time_interval(times) == pytest.approx(
            (math.exp(logs.mean()), math.exp(low), math.exp(high), 5)
        )

    def test_one_trial_has_no_interval(self) -> None:
        assert time_interval([42.0]) == (pytest.approx(42.0), None, None, 1)
        assert throughput_interval([1e9], 16) == (pytest.approx(16.0), None, None, 1)

    def test_no_trial_is_an_error(self) -> None:
        with pytest.raises(ValueError, match="at least one"):
            mean_interval([])

    def test_throughput_is_the_reciprocal_of_time(self) -> None:
        times = [2e6, 2.1e6, 1.9e6]
        time, speed = time_interval(times), throughput_interval(times, 8)
        assert time.low is not None and time.high is not None
        assert speed[:3] == pytest.approx((8e9 / time.value, 8e9 / time.high, 8e9 / time.low))
        assert speed.low is not None and speed.high is not None and speed.low < speed.value < speed.high


class TestComparison:
    def test_two_way_equals_ordinary_least_squares(self) -> None:
        logs = table(5, [1.0, 0.8, 1.3, 1.1], 0.01)
        n, k = logs.shape
        design = np.zeros((n * k, n + k - 1))
        for row in range(n):
            for column in range(k):
                design[row * k + column, row] = 1
                if column:
                    design[row * k + column, n + column - 1] = 1
        beta, residual, *_ = np.linalg.lstsq(design, logs.ravel(), rcond=None)
        df = (n - 1) * (k - 1)
        covariance = np.linalg.inv(design.T @ design) * residual[0] / df
        for column, found in enumerate(compare_case(logs, 0)):
            if column == 0:
                assert found is None
                continue
            assert found is not None and found.method == "two-way" and found.df == df
            assert found.log_ratio == pytest.approx(beta[n + column - 1])
            assert found.standard_error == pytest.approx(
                math.sqrt(covariance[n + column - 1, n + column - 1])
            )

    def test_round_effects_do_not_widen_the_interval(self) -> None:
        found = compare_case(table(5, [1.0, 0.8, 1.3], 0.002), 0)[1]
        assert found is not None and found.high is not None and found.low is not None
        assert found.high - found.low < 0.02  # the rounds differ by 0.2

    def test_two_contenders_are_the_paired_t(self) -> None:
        logs = table(6, [1.0, 0.9], 0.01)
        found = compare_case(logs, 1)[0]
        low, high = stats.ttest_rel(logs[:, 0], logs[:, 1]).confidence_interval(0.95)
        assert found is not None and (found.low, found.high) == pytest.approx((low, high))

    def test_a_missing_cell_makes_its_pair_stand_alone(self) -> None:
        logs = table(5, [1.0, 0.8, 1.3], 0.01, seed=2)
        logs[2, 1] = NAN
        whole, found = compare_case(logs, 0)[2], compare_case(logs, 0)[1]
        assert found is not None and found.method == "two-way" and found.rounds == 4
        assert whole is not None and whole.method == "paired t" and whole.rounds == 5

    def test_unequal_variances_fall_back_to_the_pair(self) -> None:
        logs = table(10, [1.0, 0.8, 1.3], 0.002)
        logs[:, 2] += np.random.default_rng(3).normal(0, 0.2, 10)
        quiet, noisy = compare_case(logs, 0)[1:]
        assert quiet is not None and noisy is not None
        assert (quiet.method, noisy.method) == ("paired t", "paired t")
        assert quiet.standard_error is not None and noisy.standard_error is not None
        assert quiet.standard_error * 10 < noisy.standard_error

    def test_a_pair_as_unsteady_as_no_other_stands_alone_though_no_variances_test_says_so(self) -> None:
        logs = table(5, [1.0, 0.8, 1.3, 1.1], 0.01)
        logs[:, 1] += 0.02 * np.array([1.0, -1.0, 0.5, -1.0, 0.5])
        unsteady, steady = compare_case(logs, 0)[1:3]
        assert brown_forsythe(logs - np.median(logs, axis=1, keepdims=True)) > 0.05
        assert unsteady is not None and unsteady.method == "paired t"
        assert steady is not None and steady.method == "two-way"

    def test_rounds_not_shared_are_welch(self) -> None:
        logs = np.full((8, 2), NAN)
        logs[:4, 0], logs[4:, 1] = [0.0, 0.1, 0.05, 0.02], [0.3, 0.5, 0.1, 0.4]
        found = compare_case(logs, 0)[1]
        test = stats.ttest_ind(logs[4:, 1], logs[:4, 0], equal_var=False)
        interval = test.confidence_interval(0.95)
        assert found is not None and found.method == "Welch t" and found.df == pytest.approx(test.df)
        assert (found.low, found.high) == pytest.approx((interval.low, interval.high))

    def test_a_failed_contender_has_no_comparison_and_harms_no_other(self) -> None:
        logs = table(5, [1.0, 0.8, 1.3, 1.1], 0.01)
        without = compare_case(logs[:, :3], 0)
        logs[:, 3] = NAN
        assert compare_case(logs, 0) == [*without, None]

    def test_one_round_has_a_ratio_and_nothing_else(self) -> None:
        found = compare_case(np.log([[1.0, 0.5, 2.0]]), 0)
        assert found[1] is not None and math.exp(found[1].log_ratio) == pytest.approx(0.5)
        assert found[1].low is None and verdict(found[1], 0.01) == "no verdict"

    def test_brown_forsythe_against_scipy(self) -> None:
        columns = np.random.default_rng(5).normal(0, [1, 2, 1], (8, 3))
        assert brown_forsythe(columns) == pytest.approx(stats.levene(*columns.T, center="median").pvalue)
        assert brown_forsythe(np.zeros((4, 3))) == 1.0

    def test_equal_numbers_do_not_divide_by_zero(self) -> None:
        found = welch(np.array([1.0, 1.0]), np.array([1.0, 1.0]))
        assert (found.low, found.high) == (0.0, 0.0)


class TestVerdict:
    @pytest.mark.parametrize(
        ("center", "spread", "expected"),
        [
            (-0.20, 0.001, "faster"),
            (0.20, 0.001, "slower"),
            (0.001, 0.001, "tied"),
            (0.01, 0.001, "undecided"),  # on the edge of 1 %
            (-0.20, 0.3, "undecided"),
        ],
    )
    def test_each_word(self, center: float, spread: float, expected: str) -> None:
        found = paired(center + spread * np.array([-1.0, 0.5, 0.5, -0.5, 0.5]))
        assert verdict(found, margin(None)) == expected

    def test_a_noisy_host_needs_a_larger_difference(self) -> None:
        found = paired(0.03 + 0.001 * np.array([-1.0, 0.0, 1.0]))
        assert verdict(found, margin(None)) == "slower"
        assert verdict(found, margin(0.05)) == "tied"
        assert margin(0.001) == pytest.approx(math.log(1.01))

    def test_two_rounds_give_no_verdict(self) -> None:
        assert verdict(paired(np.array([0.5, 0.5])), 0.01) == "no verdict"
        assert p_value(paired(np.array([0.5, 0.5])), 0.01) is None

    @given(
        st.lists(st.floats(-0.2, 0.2), min_size=3, max_size=8).filter(lambda values: np.std(values) > 1e-6)
    )
    @settings(max_examples=60, deadline=None)
    def test_p_and_interval_agree(self, differences: list[float]) -> None:
        found = paired(np.array(differences))
        p = p_value(found, 0.01)
        assert p is not None and found.low is not None and found.high is not None
        assert (p <= 0.05) == (found.low > 0.01 or found.high < -0.01) or p == pytest.approx(0.05)

    def test_holm_can_take_a_verdict_back(self) -> None:
        found = paired(0.05 + 0.02 * np.array([-1.0, 0.0, 1.0, 0.3]))
        p = p_value(found, 0.01)
        assert p is not None and 0.005 < p < 0.05
        assert verdict(found, 0.01, p) == "slower"
        assert verdict(found, 0.01, holm([p] * 16)[0]) == "undecided"


class TestHolm:
    def test_a_worked_example(self) -> None:
        assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])

    def test_the_untestable_do_not_count(self) -> None:
        assert holm([None, 0.04, None]) == [None, 0.04, None]
        assert holm([0.9, 0.8]) == [1.0, 1.0]


class TestNoise:
    def test_no_pair_is_unknown_not_zero(self) -> None:
        assert aa_noise([]) is None and aa_noise([np.array([])]) is None

    def test_it_covers_new_pairs_of_the_same_host(self) -> None:
        random = np.random.default_rng(11)
        inside = []
        for _ in range(300):
            pairs = [random.normal(0, 0.02, 5) for _ in range(4)]
            noise = aa_noise(pairs)
            assert noise is not None and (noise.pairs, noise.rounds) == (4, 20)
            inside.append(abs(random.normal(0, 0.02, 5).mean()) <= noise.limit)
        assert 0.92 <= np.mean(inside) <= 0.99

    def test_an_offset_between_the_names_counts(self) -> None:
        noise = aa_noise([0.03 + np.array([0.0, 0.001, -0.001, 0.0, 0.0])])
        assert noise is not None and noise.limit > 0.03


class TestGeometricMean:
    def test_the_missing_are_named(self) -> None:
        half, double = LogRatio(math.log(0.5), None, None), LogRatio(math.log(2.0), None, None)
        mean = geometric_mean({"convstack": half, "mlp": double, "bert": None})
        assert mean.value == pytest.approx(1.0) and mean.n == 2 and mean.missing == ("bert",)
        assert (mean.low, mean.high) == (None, None)

    def test_nothing_is_null(self) -> None:
        assert geometric_mean({"mlp": None}) == (None, None, None, 0, ("mlp",))

    def test_one_case_keeps_its_interval(self) -> None:
        alone = paired(np.array([0.10, 0.12, 0.11, 0.09]))
        mean = geometric_mean({"mlp": LogRatio(*alone[:3])})
        assert alone.low is not None and alone.high is not None
        assert (mean.low, mean.high) == pytest.approx((math.exp(alone.low), math.exp(alone.high)))

    def test_one_case_without_an_error_leaves_no_interval(self) -> None:
        known = LogRatio(0.1, 0.01, 4)
        assert geometric_mean({"mlp": known, "bert": LogRatio(0.1, None, None)}).low is None
        assert geometric_mean({"mlp": known, "bert": None}).low is not None

    def test_the_interval_holds_the_mean_of_these_cases(self) -> None:
        random = np.random.default_rng(5)
        truths = {"a": -0.4, "b": 0.1, "c": 0.3}
        held = 0
        for _ in range(600):
            ratios = {
                name: LogRatio(*paired(truth + random.normal(0.0, spread, 5))[:3])
                for (name, truth), spread in zip(truths.items(), (0.01, 0.03, 0.02), strict=True)
            }
            mean = geometric_mean(ratios)
            assert mean.low is not None and mean.high is not None
            held += mean.low <= 1.0 <= mean.high
        assert 0.92 <= held / 600 <= 0.98


class TestFamily:
    def test_a_twin_is_compared_but_costs_the_others_nothing(self) -> None:
        logs = table(5, [1.0, 0.97, 1.0], 0.004)
        alone = judge_case(logs[:, :2], 0, 0.01)[1]
        beside = judge_case(logs, 0, 0.01, apart=[2])
        assert alone is not None and beside[0] is None
        assert beside[1] is not None and beside[2] is not None
        assert beside[1].adjusted_p == pytest.approx(p_value(beside[1].comparison, 0.01))
        assert beside[2].adjusted_p is None and beside[2].verdict == "tied"

    def test_the_family_is_corrected_together(self) -> None:
        judged = [one for one in judge_case(table(5, [1.0] * 6, 0.01), 0, 0.0) if one]
        raw = [p_value(one.comparison, 0.0) for one in judged]
        assert [one.adjusted_p for one in judged] == holm(raw)


class TestReproduction:
    recorded = np.log(0.75) + 0.01 * np.array([-1.0, 1.0, 0.0, 0.5, -0.5])

    def test_each_verdict(self) -> None:
        assert reproduced(self.recorded, self.recorded + 0.005).verdict == "reproduced"
        far = reproduced(self.recorded, self.recorded + math.log(1.2))
        assert far.verdict == "not reproduced" and far.ratio == pytest.approx(1.2)
        assert far.rounds_needed is None

    def test_undecided_says_how_many_more_rounds_would_decide(self) -> None:
        spread = 0.03 * np.array([-1.0, 1.0, 0.0, 0.5, -0.5])
        recorded = np.tile(self.recorded, 4)
        answer = reproduced(recorded, np.log(0.75) + 0.02 + spread)
        assert answer.verdict == "undecided" and answer.rounds_needed is not None
        # With the same spread over that many more rounds it is decided, and with half of them it is not.
        more = np.resize(spread, 5 + answer.rounds_needed)
        scale = spread.std(ddof=1) / more.std(ddof=1)
        again = np.log(0.75) + 0.02 + (more - more.mean()) * scale
        assert reproduced(recorded, again).verdict == "reproduced"

    def test_an_imprecise_record_cannot_be_saved_by_more_rounds(self) -> None:
        recorded = np.array([0.3, -0.3, 0.0])
        answer = reproduced(recorded, np.array([0.01, 0.0, -0.01]))
        assert answer.verdict == "undecided" and answer.rounds_needed is None

    def test_one_recorded_round_borrows_the_new_spread(self) -> None:
        new = 0.001 * np.array([-1.0, 0.0, 1.0, 0.5, -0.5])
        answer = reproduced(np.array([0.0]), new)
        expected = stats.t.ppf(0.975, 4) * new.std(ddof=1) * math.sqrt(1 + 1 / 5)
        assert answer.verdict == "reproduced" and answer.high == pytest.approx(math.exp(expected))

    def test_two_single_rounds_have_no_interval(self) -> None:
        answer = reproduced(np.array([0.0]), np.array([0.1]))
        assert (answer.low, answer.verdict, answer.rounds_needed) == (None, "undecided", 2)

    def test_a_noisy_host_widens_the_bound(self) -> None:
        assert bound(None) == 0.05 and bound(math.log(1.08)) == pytest.approx(0.08)


class TestEquivalence:
    def test_each_answer(self) -> None:
        base = [0.95, 0.96, 0.955, 0.96, 0.95]
        assert accuracy_equivalence([a + 0.001 for a in base], base).answer == "equivalent"
        assert accuracy_equivalence([a - 0.05 for a in base], base).answer == "different"
        assert accuracy_equivalence([0.90, 0.99, 0.95, 0.99, 0.94], base).answer == "undecided"
        assert accuracy_equivalence([0.95], [0.95]).answer == "undecided"
