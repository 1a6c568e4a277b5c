"""Telemetry over time: levels, rates of counters, gaps, and a sidecar that holds something else."""

from __future__ import annotations

import pytest

from framebench.dataset.telemetry_series import DRAWN, course, sampled, thinned
from tests.record_factory import telemetry_series


def test_a_level_is_as_it_was_read_and_a_counter_is_what_it_gained() -> None:
    assert course([0, 2_000_000_000], [5.0, 7.0], counter=False) == [(0.0, 5.0), (2.0, 7.0)]
    assert course([0, 1_000_000_000], [4e9, 6e9], counter=True) == [(1.0, 2.0)]


def test_a_tick_that_read_nothing_is_no_point_and_a_counter_goes_on_behind_it() -> None:
    t_ns = [0, 100_000_000, 200_000_000]
    assert course(t_ns, [1.0, None, 3.0], counter=False) == [(0.0, 1.0), (0.2, 3.0)]
    assert course(t_ns, [0.0, None, 2e8], counter=True) == [(0.2, 1.0)]
    assert course([5, 5], [1.0, 2.0], counter=True) == []


def test_a_drawing_has_few_points_whose_mean_is_that_of_all() -> None:
    points = [(float(x), float(x % 7)) for x in range(6 * DRAWN)]
    few = thinned(points)
    assert len(few) == DRAWN
    assert sum(y for _x, y in few) / DRAWN == pytest.approx(sum(y for _x, y in points) / len(points))
    assert thinned(points[:DRAWN]) == points[:DRAWN] and thinned([]) == []


@pytest.mark.parametrize(
    "held",
    [
        {},
        {"telemetry": None},
        {"telemetry": {"t_ns": [0], "metrics": {"rss": ["much"]}}},
        {"telemetry": {"t_ns": [-1], "metrics": {}}},
        {"telemetry": {"t_ns": [0], "metrics": {"rss": [1e300]}}},
        {"telemetry": [1, 2]},
    ],
    ids=["nothing", "null", "a word", "before the window", "more than there is", "a list"],
)
def test_what_is_no_telemetry_is_not_drawn(held: dict[str, object]) -> None:
    assert sampled(held) is None


def test_a_sidecar_as_the_harness_writes_it_is_read() -> None:
    seen = sampled(telemetry_series(gpus=1))
    assert seen is not None and len(seen.t_ns) == 30 and len(seen.gpus) == 1
    assert course(seen.t_ns, seen.metrics["cpu_time"], counter=True)[0][1] == pytest.approx(1.9)
