"""Numbers and pages' plots: digits follow the uncertainty, nulls stay nulls."""

import pytest

from framebench.pages import figures
from framebench.pages.views import plot
from framebench.statistics.break_even import break_even_steps


@pytest.mark.parametrize(
    ("value", "low", "high", "shown"),
    [
        (305.41, 294.6, 316.2, ("305", "295\u2009–\u2009316")),
        (1.1291, 1.1161, 1.1423, ("1.13", "1.12\u2009–\u20091.14")),
        (31.24, 30.2, 32.2, ("31.2", "30.2\u2009–\u200932.2")),
        (12345.6, 12300.0, 12390.0, ("12\u202f346", "12\u202f300\u2009–\u200912\u202f390")),
        (0.01234, 0.0122, 0.0125, ("0.0123", "0.0122\u2009–\u20090.0125")),
        (5.0, None, None, ("5.00", "")),
    ],
)
def test_digits_follow_the_interval(value, low, high, shown):
    assert figures.with_interval(value, low, high) == shown


def test_a_null_is_never_a_number():
    assert {
        figures.duration(None),
        figures.size(None),
        figures.percent(None),
        figures.flops(None),
        figures.significant(None),
        figures.significant(float("nan")),
    } == {"–"}


def test_units_suit_the_amount():
    assert figures.duration(850_000) == "850 µs"
    assert figures.duration(12_340_000) == "12.3 ms"
    assert figures.duration(200_000_000_000) == "3 min 20 s"
    assert figures.size(734_003_200) == "700 MiB"
    assert figures.flops(3_500_000_000) == "3.50 GFLOP"


def test_a_time_and_its_interval_have_one_unit():
    assert figures.duration_with_interval(1_020_000, 980_000, 1_060_000) == "1.02 ms (0.98\u2009–\u20091.06)"
    assert figures.duration_with_interval(12_345, 12_100, 12_590) == "12.3 µs (12.1\u2009–\u200912.6)"
    assert figures.duration_with_interval(12_345, None, None) == "12.3 µs"


def test_plot_places_the_extremes_at_the_edges():
    made = plot(
        "t",
        [("a", [(1.0, 10.0), (3.0, 20.0)], None)],
        y_low=10.0,
        y_high=20.0,
        x_labels=("l", "r"),
        y_labels=("10", "20"),
        rule=(15.0, "half"),
    )
    assert made.traces[0].path == "m0+100l1000-100"
    assert made.rule == 50.0


@pytest.mark.parametrize(
    ("times", "steps"),
    [
        ((1.0, 10.0, 0.5, 0.2), 30),
        ((1.0, 10.0, 0.5, 0.5), None),
        ((1.0, 10.0, 0.5, 0.7), None),
        ((1.0, 0.9, 0.5, 0.4), 0),
    ],
)
def test_compiling_pays_off_when_the_saved_time_has_made_up_for_the_first_step(times, steps):
    assert break_even_steps(*times) == steps
