"""Figures over a window, from readings that are known: trims, impossible values, counters, energy."""

from __future__ import annotations

import math
from typing import Any

import pytest

from harness import flags
from harness.record import Energy, GpuTelemetry, Telemetry
from harness.telemetry.energy import energy
from harness.telemetry.source import Capability
from harness.telemetry.window import Window, mean_over_time

S = 1_000_000_000
PERCENT = Capability("gauge", "%", low=0.0, high=100.0, settle_s=1.0)
COUNTER = Capability("counter", "ns", low=0.0, high=1e9)
GPU = {
    "power_instant": Capability("gauge", "W", low=0.1, high=3000.0, settle_s=0.2),
    "power_average": Capability("gauge", "W", low=0.1, high=3000.0, settle_s=1.0),
    "energy": Capability("counter", "J", low=0.0, high=3000.0),
}


def edge(values: dict[str, Any] | None = None, energy: Any = None, lost: str | None = None) -> dict[str, Any]:
    return {
        "t": 0,
        "values": [{}, values or {}],
        "energy": [None, energy],
        "notes": [{}, {}],
        "lost": [None, lost],
    }


def window(
    seconds: float = 10.0,
    readings: dict[float, dict[str, float | None]] | None = None,
    edges: list[dict[str, Any]] | None = None,
) -> Window:
    """A window from 0 on; ``readings`` by second, of source 1."""
    made = Window(start_ns=100 * S, end_ns=int((100 + seconds) * S), edges=edges or [edge(), edge()])
    made.keep(
        [
            (int((100 + t) * S), int((100 + t) * S) + 1000, [{}, values])
            for t, values in (readings or {}).items()
        ]
    )
    return made


def every(period: float, seconds: float, values: Any) -> dict[float, dict[str, float | None]]:
    count = round(seconds / period)
    return {i * period: values(i * period) if callable(values) else values for i in range(1, count)}


# --- gauges --------------------------------------------------------------------------------------


def test_a_gauge_that_looks_back_leaves_the_first_second_out() -> None:
    found = window(3.0, every(0.1, 3.0, lambda t: {"u": 0.0 if t < 1.0 else 90.0})).metric(1, "u", PERCENT)
    assert (found.mean, found.minimum, found.maximum) == (90.0, 90.0, 90.0)
    assert found.samples == 20


def test_seven_samples_make_no_mean() -> None:
    found = window(1.7, every(0.1, 1.7, {"u": 50.0})).metric(1, "u", PERCENT)
    assert found.samples == 7
    assert found.mean is found.minimum is found.maximum is None
    assert found.reason == "7 samples in the window, a mean needs 8"


@pytest.mark.parametrize("wrong", [255.0, -1.0, math.nan, math.inf, None])
def test_impossible_and_failed_readings_are_dropped_and_counted(wrong: float | None) -> None:
    readings = every(0.1, 3.0, {"u": 40.0})
    readings |= {t: {"u": wrong} for t in list(readings)[12:15]}
    found = window(3.0, readings).metric(1, "u", PERCENT)
    assert (found.mean, found.maximum, found.dropped, found.samples) == (40.0, 40.0, 3, 17)


def test_the_mean_is_over_time_not_over_ticks() -> None:
    """Ten readings in a busy second and one per second after it: the second must not weigh tenfold."""
    assert mean_over_time([(t * S // 10, 100.0) for t in range(11)] + [(t * S, 0.0) for t in (2, 3, 4)]) == (
        pytest.approx((100.0 + 50.0) / 4)
    )
    assert mean_over_time([(5, 3.0), (5, 5.0)]) == 4.0


def test_a_tick_in_which_time_runs_backwards_is_dropped_whole() -> None:
    made = Window(start_ns=0, end_ns=100)
    made.keep([(1, 2, [{}]), (9, 8, [{}]), (20, 30, [{}]), (25, 40, [{}]), (50, 60, [{}])])
    assert [before for before, _, _ in made.samples] == [1, 20, 50]
    assert made.dropped_ticks == 2


# --- counters ------------------------------------------------------------------------------------


def test_a_counter_that_goes_backwards_is_null_with_the_reason() -> None:
    found = window(edges=[edge({"c": 10}), edge({"c": 9})]).metric(1, "c", COUNTER)
    assert (found.support, found.delta, found.reason) == ("failed", None, "the counter went backwards")


def test_a_counter_of_time_cannot_outrun_time() -> None:
    fast = window(10.0, edges=[edge({"c": 0}), edge({"c": 11 * S})]).metric(1, "c", COUNTER)
    assert (fast.delta, fast.dropped) == (None, 1)
    assert window(10.0, edges=[edge({"c": 0}), edge({"c": 10 * S})]).metric(1, "c", COUNTER).delta == 10 * S


def test_a_counter_of_a_gpu_that_was_lost_says_so() -> None:
    found = window(edges=[edge({"c": 1}), edge(lost="GPU is lost")]).metric(1, "c", COUNTER)
    assert (found.delta, found.reason) == (None, "the GPU was lost: GPU is lost")


# --- energy --------------------------------------------------------------------------------------


def at_rest(watts: float = 100.0, seconds: float = 2.0) -> Window:
    return window(seconds, every(0.1, seconds, {"power_instant": watts}))


def counted(joules: float, before_s: float = 0.02, after_s: float = 0.05, seconds: float = 10.0) -> Window:
    """A counter that ticked a little before and after the window, and 600 W in every other reading."""
    start, end = int((100 - before_s) * S), int((100 + seconds + after_s) * S)
    return window(
        seconds,
        every(0.1, seconds, {"power_instant": 600.0, "power_average": 500.0}),
        [edge(energy=[start, 5e6, True]), edge(energy=[end, 5e6 + joules, True])],
    )


def test_energy_takes_what_lies_beside_the_steps_out_at_rest_power() -> None:
    found = energy(counted(6000 + 7), 1, GPU, (at_rest(100.0), at_rest(120.0)), samples=1000)
    assert found.source == "counter" and found.reason is None
    assert (found.idle_before_w, found.idle_after_w) == (100.0, 120.0)
    assert found.slack_ns == 70_000_000 and found.counter_ns == 10_070_000_000
    assert found.counter_j == 6007
    assert found.total_j == pytest.approx(6007 - 110 * 0.07, abs=0.01)
    assert found.above_idle_j == pytest.approx(6007 - 110 * 10.07, abs=0.01)
    assert found.j_per_sample == pytest.approx(found.total_j / 1000)


def test_without_the_power_at_rest_the_counter_is_kept_raw_and_instant_power_is_integrated() -> None:
    found = energy(counted(6007), 1, GPU)
    assert found.source == "instant power"
    assert (found.total_j, found.above_idle_j, found.counter_j) == (6000.0, None, 6007.0)
    assert "power at rest is unknown" in (found.reason or "")


def test_power_at_rest_is_the_counters_own_where_the_rest_was_long_enough() -> None:
    """A sensor and a counter may disagree at rest; what is taken out of a counter must be of its kind."""
    rest = counted(10.07 * 80.0)
    assert energy(counted(6007), 1, GPU, (rest, None)).idle_before_w == pytest.approx(80.0)


def short(seconds: float) -> Window:
    return counted(600 * seconds, seconds=seconds)


NO_COUNTER = GPU | {"energy": GPU["energy"]._replace(support="not supported", reason="Not Supported")}
NEITHER = NO_COUNTER | {
    "power_instant": GPU["power_instant"]._replace(support="not supported", reason="Not Supported")
}


def test_an_average_over_a_second_is_never_integrated() -> None:
    found = energy(counted(6007), 1, NEITHER, (at_rest(), None))
    assert found.source is found.total_j is found.above_idle_j is found.j_per_sample is None
    assert found.reason == "no energy counter: Not Supported; no instant power: Not Supported"


def test_a_short_window_has_no_energy() -> None:
    found = energy(short(4.9), 1, GPU, (at_rest(), None))
    assert found.total_j is None
    assert found.reason == "the window is 4.9 s long, energy needs 5 s"
    assert found.idle_before_w == 100.0
    assert energy(short(5.0), 1, GPU, (at_rest(), None)).total_j is not None


@pytest.mark.parametrize(
    ("edges", "reason"),
    [
        ([[1, 9.0, True], [2, 8.0, True]], "went backwards"),
        ([[100 * S, 9.0, True], [110 * S, 1e9, True]], "impossible"),
        ([[100 * S, 9.0, True], [110 * S, 9.0, True]], "impossible"),
        ([[100 * S, 9.0, False], [110 * S, 99.0, True]], "did not tick"),
        ([[100 * S, 9.0, True], None], "could not be read"),
    ],
)
def test_a_counter_that_cannot_be_believed_is_not(edges: list[Any], reason: str) -> None:
    one = window(10.0, every(0.1, 10.0, {"power_average": 500.0}), [edge(energy=e) for e in edges])
    found = energy(one, 1, GPU, (at_rest(), None))
    assert found.total_j is None
    assert reason in (found.reason or "")


def test_a_lost_gpu_has_no_energy() -> None:
    one = counted(6007)
    one.edges[-1]["lost"] = [None, "GPU is lost"]
    assert energy(one, 1, GPU, (at_rest(), None)).reason == "the GPU was lost: GPU is lost"
    assert energy(None, 1, GPU).reason == "no window was measured"


# --- flags ---------------------------------------------------------------------------------------


def gpu(
    processes: int | None = 1,
    rest: float | None = 0.0,
    limited: dict[str, float] | None = None,
    held_back: dict[str, int] | None = None,
) -> Telemetry:
    one = GpuTelemetry(
        uuid_sha256="0",
        metrics={},
        energy=Energy(reason="x"),
        limited_share=limited or {},
        held_back_ns=held_back or {},
        processes=processes,
        rest_utilization=rest,
    )
    return Telemetry(hz=10.0, ticks=90, missed_ticks=0, window_ns=10 * S, metrics={}, gpus=[one])


def test_flags_of_a_gpu() -> None:
    assert flags.gpu(gpu(limited={"power": 0.0, "thermally": 0.0})) == []
    assert flags.gpu(gpu(limited={"power": 0.9})) == [flags.GPU_POWER_LIMITED]
    assert flags.gpu(gpu(limited={"thermally": 0.01})) == [flags.GPU_LIMITED]
    assert flags.gpu(gpu(held_back={"event_power_brake": 5})) == [flags.GPU_LIMITED]
    assert flags.gpu(gpu(held_back={"policy_low_utilization": 5})) == []
    assert flags.gpu(gpu(processes=2)) == [flags.GPU_SHARED]
    assert flags.gpu(gpu(rest=6.0)) == [flags.GPU_SHARED]
    assert flags.gpu(gpu(processes=None, rest=6.0)) == [flags.GPU_SHARED]
    assert flags.gpu(gpu(processes=None, rest=0.0)) == []
    assert flags.gpu(gpu(processes=None, rest=None)) == [flags.GPU_SHARE_UNKNOWN]  # WSL
