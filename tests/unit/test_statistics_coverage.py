"""Do nominal 95 % intervals hold the truth 95 % of the time? Seeded simulations of the declared model."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from benchmarks import coverage
from framebench.statistics.comparison import compare_case
from framebench.statistics.interval import time_interval
from framebench.statistics.ratio_of_ratios import reproduced

SIMULATIONS = 800
TRUTH = math.log(1.05)  # a 5 % effect
BETWEEN, WITHIN = 0.015, 0.03  # spread between processes and of single steps within one


def trials(random: np.random.Generator, rounds: int, contenders: int) -> np.ndarray:
    """(rounds, contenders) of ln median step times: round effect + process effect + median of 40 steps."""
    steps = random.normal(0.0, WITHIN, (rounds, contenders, 40))
    process = random.normal(0.0, BETWEEN, (rounds, contenders))
    effects = np.zeros(contenders)
    effects[1] = TRUTH
    return np.median(steps, axis=2) + process + effects + random.normal(0.0, 0.05, (rounds, 1))


@pytest.mark.parametrize(("rounds", "contenders"), [(3, 7), (5, 2), (5, 7), (10, 4)])
def test_the_comparison_of_a_case(rounds: int, contenders: int) -> None:
    random = np.random.default_rng(rounds * 100 + contenders)
    found = [compare_case(trials(random, rounds, contenders), 0)[1] for _ in range(SIMULATIONS)]
    held = [c.low <= TRUTH <= c.high for c in found if c and c.low is not None and c.high is not None]
    assert len(held) == SIMULATIONS
    assert 0.92 <= np.mean(held) <= 0.98


@pytest.mark.parametrize("rounds", [3, 5, 10])
def test_the_time_of_one_contender(rounds: int) -> None:
    random = np.random.default_rng(rounds)
    held = []
    for _ in range(SIMULATIONS):
        time = time_interval(np.exp(random.normal(TRUTH, BETWEEN, rounds)).tolist())
        assert time.low is not None and time.high is not None
        held.append(time.low <= math.exp(TRUTH) <= time.high)
    assert 0.92 <= np.mean(held) <= 0.98


@pytest.mark.parametrize(("unsteady", "rounds"), [(1, 5), (1, 10), (2, 5), (2, 10)])
def test_one_contender_three_times_as_unsteady_as_six_others(unsteady: int, rounds: int) -> None:
    random = np.random.default_rng(rounds * 10 + unsteady)
    spreads = np.full(7, BETWEEN)
    spreads[unsteady] *= 3
    held = []
    for _ in range(SIMULATIONS):
        found = compare_case(random.normal(0.0, spreads, (rounds, 7)), 0)[1]
        assert found is not None and found.low is not None and found.high is not None
        held.append(found.low <= 0.0 <= found.high)
    assert 0.90 <= np.mean(held) <= 0.99


def test_the_ratio_of_ratios() -> None:
    random = np.random.default_rng(2)
    held = []
    for _ in range(SIMULATIONS):
        answer = reproduced(random.normal(TRUTH, BETWEEN, 5), random.normal(TRUTH, BETWEEN, 5))
        assert answer.low is not None and answer.high is not None
        held.append(answer.low <= 1.0 <= answer.high)
    assert 0.92 <= np.mean(held) <= 0.98


def test_the_method_page_is_rewritten_between_its_markers_only(tmp_path: Path) -> None:
    page = tmp_path / "method.md"
    page.write_text(f"# Method\n\n{coverage.BEGIN}\nold\n{coverage.END}\n\n## Next\n")
    coverage.write(page, "| new |")
    coverage.write(page, "| new |")
    assert page.read_text() == f"# Method\n\n{coverage.BEGIN}\n\n| new |\n\n{coverage.END}\n\n## Next\n"
    page.write_text("# Method\n")
    with pytest.raises(ValueError, match="put them back"):
        coverage.write(page, "| new |")


def test_the_method_page_holds_what_the_simulation_wrote() -> None:
    text = coverage.METHOD_PAGE.read_text()
    table = text[text.index(coverage.BEGIN) : text.index(coverage.END)]
    for word in ("**Coverage**", "**False winners**", "**Stopping by looks**", "**Power**"):
        assert table.count(word) == 1
