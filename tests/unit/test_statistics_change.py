"""How far a time has changed from campaign to campaign."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framebench.statistics.change import CampaignSpread, campaign_spread, change

times = st.lists(st.integers(-5000, 25000), min_size=2, max_size=6).map(
    lambda thousandths: np.array(thousandths) / 1000
)
sides = st.lists(times, min_size=1, max_size=4)
spreads = st.none() | st.builds(CampaignSpread, st.floats(0, 1), st.integers(1, 9))


@given(sides, sides, spreads)
def test_the_sides_changed_about_turn_the_change_about(new: list, old: list, spread: CampaignSpread) -> None:
    there, back = change(new, old, spread), change(old, new, spread)
    assert there.by == back.by
    one, other = there.comparison, back.comparison
    assert one.log_ratio == pytest.approx(-other.log_ratio, abs=1e-9)
    assert one.low == pytest.approx(-(other.high or 0.0), abs=1e-6)
    assert one.low is not None and one.high is not None and one.low <= one.log_ratio <= one.high


@given(sides, sides, st.floats(0, 1), st.integers(1, 9))
def test_what_is_known_of_campaigns_never_makes_an_interval_narrower(
    new: list, old: list, deviation: float, df: int
) -> None:
    alone = change(new, old, None).comparison
    known = change(new, old, CampaignSpread(deviation, df)).comparison
    assert (known.half_width or 0.0) >= (alone.half_width or 0.0)


def test_the_spread_is_of_the_means_and_has_the_freedom_of_the_campaigns() -> None:
    side = [{"a": 1.0, "b": 3.0, "c": 2.0}, {"a": 5.0, "b": 5.0}, {"c": 9.0}]
    spread = campaign_spread([side, [{"z": 0.0}]])
    assert spread == (pytest.approx(math.sqrt(2.0 / 3)), 2)
    assert campaign_spread([[{"a": 1.0}], [{"b": 2.0}]]) is None
    assert campaign_spread([]) is None


def test_rounds_alone_forget_the_campaign_and_the_campaigns_do_not() -> None:
    """Campaigns 3 % apart, rounds 0.5 %: what each interval holds of the truth (no change)."""
    random = np.random.default_rng(5)

    def campaigns(count: int) -> list[np.ndarray]:
        return [random.normal(random.normal(0.0, 0.03), 0.005, 5) for _ in range(count)]

    held = {"rounds": 0, "campaigns": 0}
    for _ in range(600):
        new, old = campaigns(1), campaigns(4)
        means = {str(number): float(one.mean()) for number, one in enumerate(old)}
        for name, spread in (("rounds", None), ("campaigns", campaign_spread([[means], []]))):
            low, high = change(new, old, spread).comparison[3:5]
            assert low is not None and high is not None
            held[name] += low <= 0.0 <= high
    assert held["campaigns"] / 600 == pytest.approx(0.95, abs=0.03)
    assert held["rounds"] / 600 < 0.7
