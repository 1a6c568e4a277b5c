"""Warm-up, block size and steadiness on simulated step times: a fake clock, a callable, a barrier."""

from __future__ import annotations

import math
import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

import numpy as np
import pytest

from harness import flags, protocol, steadiness
from harness.record import Protocol, SteadyClass, WarmUp

MS = 1_000_000
RULES = Protocol(name="test", warmup_min_s=0.0, measure_blocks=30, measure_s=0.0)


class Machine:
    """A clock that only the simulated steps move. ``step_ns(i)`` is the duration of the i-th step."""

    def __init__(
        self, step_ns: Callable[[int], float], call_ns: float = 0.0, barrier_ns: float = 0.0
    ) -> None:
        self.step_ns, self.call_ns, self.barrier_ns = step_ns, call_ns, barrier_ns
        self.now, self.steps, self.calls = 0.0, 0, 0

    def run(self, n: int) -> int:
        self.calls += 1
        self.now += self.call_ns
        for _ in range(n):
            self.now += self.step_ns(self.steps)
            self.steps += 1
        return self.steps

    def barrier(self, output: int) -> int:
        self.now += self.barrier_ns
        return output

    def clock(self) -> int:
        return int(self.now)


def noisy(level: Callable[[int], float], seed: int = 0) -> Callable[[int], float]:
    """2 % noise and 3 % of steps 30 % slower, as in the study behind the rule."""
    random = np.random.default_rng(seed)
    return lambda i: (
        25 * MS * level(i) * (1 + 0.02 * random.normal()) * (1.3 if random.random() < 0.03 else 1)
    )


def warm(machine: Machine, rules: Protocol = RULES, events: Callable[[], int | None] = lambda: 0):
    return protocol.warm_up(machine.run, machine.barrier, rules, events, machine.clock)


def test_flat_series_is_warm_soon() -> None:
    result = warm(Machine(noisy(lambda i: 1.0)))
    assert result.steady
    assert 40 <= result.blocks <= 150


@pytest.mark.parametrize(
    "level",
    [
        pytest.param(lambda i: 1 + 0.5 * math.exp(-i / 12), id="decay"),
        pytest.param(lambda i: 1.3 if i < 25 else 1.0, id="switch"),
        pytest.param(lambda i: 1.0 if i > 45 else 1.1, id="late switch"),
    ],
)
def test_warm_up_ends_after_the_change(level: Callable[[int], float]) -> None:
    """What follows the warm-up is at the final level, within 1 %."""
    for seed in range(10):
        machine = Machine(noisy(level, seed))
        result = warm(machine)
        assert result.steady
        assert level(machine.steps) == pytest.approx(1.0, abs=0.01)


def test_drift_is_never_steady() -> None:
    result = warm(Machine(lambda i: 25 * MS * 1.002**i))
    assert not result.steady
    assert result.blocks == RULES.warmup_max_blocks
    assert "300 blocks" in result.reason


def test_time_cap_ends_slow_steps() -> None:
    rules = Protocol(name="test", warmup_max_s=5.0)
    result = warm(Machine(lambda i: 1000 * MS), rules)
    assert not result.steady
    assert result.blocks == 5


def test_compiling_keeps_warm_up_going() -> None:
    """A step that still compiles is not warm, however level its times are."""
    machine = Machine(lambda i: 25 * MS)
    result = warm(machine, events=lambda: min(machine.steps // 10, 15))
    assert result.steady
    assert result.blocks >= 150 + 2 * RULES.warmup_window
    assert warm(Machine(lambda i: 25 * MS)).blocks < 150


def test_compilations_that_nobody_counts_are_said_to_be_unknown() -> None:
    result = warm(Machine(lambda i: 25 * MS), events=lambda: None)
    assert result.steady
    assert result.compile_events is None
    assert result.reason.endswith("compilations are not counted")
    assert "counted" not in warm(Machine(lambda i: 25 * MS)).reason


def test_minimum_time_is_kept() -> None:
    rules = Protocol(name="test", warmup_min_s=20.0)
    machine = Machine(lambda i: 25 * MS)
    result = warm(machine, rules)
    assert result.steady
    assert 20_000 * MS <= result.wall_ns <= 21_000 * MS


def test_short_steps_are_gathered_into_blocks() -> None:
    machine = Machine(lambda i: 0.1 * MS)
    result = warm(machine)
    assert 0.1 * result.steps_per_block >= RULES.warmup_block_ms / 2
    assert result.steady


def size(machine: Machine, warm_steps: int = 1, rules: Protocol = RULES) -> protocol.BlockSize:
    return protocol.block_size(machine.run, machine.barrier, rules, warm_steps, machine.clock)


def test_block_is_long_enough() -> None:
    found = size(Machine(lambda i: 3 * MS), warm_steps=9)
    assert 100 <= 3 * found.steps <= 105
    assert found.call_overhead_ns == 0
    assert not found.overhead_is_sure


def test_call_overhead_makes_blocks_longer() -> None:
    """An overhead of 5 ms per call needs blocks of 500 ms to stay below 1 %."""
    found = size(Machine(lambda i: 2 * MS, call_ns=5 * MS), warm_steps=10)
    assert found.call_overhead_ns == pytest.approx(5 * MS, rel=1e-3)
    assert 500 <= 5 + 2 * found.steps <= 520
    assert not found.overhead_is_sure


def test_call_overhead_beyond_the_longest_block_is_flagged() -> None:
    found = size(Machine(lambda i: 2 * MS, call_ns=50 * MS))
    assert 1000 <= 50 + 2 * found.steps <= 1050  # block_max_ms
    assert found.overhead_is_sure


def test_noise_of_a_step_is_no_overhead() -> None:
    """10 % noise on steps as long as a block: the intercept is noise, and is not called an overhead."""
    random = np.random.default_rng(1)
    flagged = 0
    for _ in range(20):
        found = size(Machine(lambda i: 80 * MS * (1 + 0.1 * random.normal())))
        flagged += found.overhead_is_sure
    assert flagged <= 3


def test_stalls_do_not_make_blocks_endless() -> None:
    """Steps of 0.1 ms on a host that takes the core away for 8 ms now and then."""
    random = np.random.default_rng(2)
    for _ in range(20):
        stalling = Machine(lambda i: 0.1 * MS + (8 * MS if random.random() < 0.05 else 0))
        found = size(stalling, warm_steps=250)
        assert 100 <= found.steps <= 2500


def test_two_stalls_in_a_row_do_not_make_one_step_a_block() -> None:
    """Steps of 0.1 ms on a host so busy that two of every three wait for 200 ms."""
    for shift in range(3):
        busy = Machine(lambda i, shift=shift: 0.1 * MS + (0 if (i + shift) % 3 == 0 else 200 * MS))
        assert size(busy, warm_steps=1).steps > 1


def test_slow_barrier_makes_blocks_longer() -> None:
    found = size(Machine(lambda i: 2 * MS, barrier_ns=4 * MS), warm_steps=10)
    assert found.barrier_ns == 4 * MS
    assert 400 <= 4 + 2 * found.steps <= 420


def test_steps_too_long_to_calibrate() -> None:
    found = size(Machine(lambda i: 2000 * MS))
    assert found.steps == 1
    assert found.call_overhead_ns is None
    assert not found.overhead_is_sure


def test_measure_counts_blocks_and_time() -> None:
    machine = Machine(lambda i: 10 * MS)
    rules = Protocol(name="test", measure_blocks=10, measure_s=3.0)
    blocks, output = protocol.measure(machine.run, machine.barrier, rules, 10, machine.clock, machine.clock)
    assert len(blocks) == 30  # 3 s of 100 ms, more than 10 blocks
    assert output == machine.steps == 300
    assert all(block.steps == 10 and block.wall_ns == 100 * MS for block in blocks)
    few = Protocol(name="test", measure_blocks=10, measure_s=0.1)
    assert len(protocol.measure(machine.run, machine.barrier, few, 10, machine.clock)[0]) == 10
    capped = Protocol(name="test", measure_blocks=1000, measure_s=1.0, measure_max_s=2.0)
    assert len(protocol.measure(machine.run, machine.barrier, capped, 10, machine.clock)[0]) == 20


def _compute(seconds: float, done: Connection) -> None:
    begin = time.process_time()
    while time.process_time() - begin < seconds:
        pass
    done.send("done")
    done.poll(60)  # stays, as a loader's worker does


def test_a_worker_process_s_time_is_the_step_s_too() -> None:
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    worker = context.Process(target=_compute, args=(0.3, theirs), daemon=True)

    def run(n: int) -> None:
        worker.start()
        ours.recv()

    rules = Protocol(name="once", measure_blocks=1, measure_s=0.0, measure_max_s=60.0)
    try:
        (block,), _ = protocol.measure(run, lambda output: output, rules, 1)
    finally:
        worker.kill()
    assert block.cpu_ns >= 0.3e9


def test_p99_needs_500_steps() -> None:
    short = protocol.percentiles(list(range(1, 101)))
    assert (short.steps, short.p50_ns, short.p90_ns, short.p99_ns) == (100, 50, 90, None)
    assert protocol.percentiles(list(range(500))).p99_ns == 494


def levels(*parts: tuple[int, float], seed: int = 0) -> list[float]:
    random = np.random.default_rng(seed)
    return [level * math.exp(0.01 * random.normal()) for count, level in parts for _ in range(count)]


def test_level_series_are_steady() -> None:
    """The penalty allows a false change in about one of a hundred noisy series."""
    classes = [steadiness.classify(levels((30, 100.0), seed=seed)) for seed in range(100)]
    assert classes.count("steady") >= 95


def test_steadiness_classes() -> None:
    for seed in range(20):
        assert steadiness.classify(levels((20, 100.0), (15, 112.0), seed=seed)) == "slowdown"
        assert steadiness.classify(levels((20, 112.0), (15, 100.0), seed=seed)) == "no-steady-state"


def test_a_change_below_two_percent_is_no_change() -> None:
    assert steadiness.classify([100.0] * 15 + [101.5] * 15) == "steady"


def test_one_spike_is_no_change() -> None:
    series = levels((30, 100.0))
    series[12] *= 1.5
    assert steadiness.classify(series) == "steady"


def test_change_point_is_found_where_it_is() -> None:
    assert steadiness.change_points(np.log(levels((12, 100.0), (18, 120.0))), sigma=0.01) == [12]
    assert steadiness.classify([100.0, 200.0]) == "steady"  # too few to tell


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        pytest.param(lambda i: 1.0, "steady", id="flat"),
        pytest.param(lambda i: 1 + 0.25 * math.exp(-i / 12), "no-steady-state", id="warm-up ended too early"),
        pytest.param(lambda i: 1 + 0.08 * (1 - math.exp(-i / 20)), "slowdown", id="heats up 8 %"),
        pytest.param(lambda i: 1.1 if i < 30 else 1.0, "no-steady-state", id="10 % faster half-way"),
        pytest.param(lambda i: 1.1 if 20 <= i < 40 else 1.0, "no-steady-state", id="slow for a while"),
    ],
)
def test_blocks_of_the_warm_up_study_are_classified(level: Callable[[int], float], expected: str) -> None:
    """60 timed blocks with 2 % noise and spikes: the class is right in nearly all of 40 seeded runs."""
    found = []
    for seed in range(40):
        step = noisy(level, seed)
        found.append(steadiness.classify([step(i) for i in range(60)]))
    assert found.count(expected) >= 36, {one: found.count(one) for one in found}


@pytest.mark.parametrize(
    ("steady", "steady_class", "expected"),
    [
        (True, "steady", []),
        (False, "steady", [flags.NOT_STEADY]),
        (True, "slowdown", [flags.SLOWDOWN]),
        (False, "no-steady-state", [flags.NOT_STEADY, flags.NO_STEADY_STATE]),
    ],
)
def test_caps_and_classes_are_flagged_apart(
    steady: bool, steady_class: SteadyClass, expected: list[str]
) -> None:
    ended = WarmUp(blocks=9, wall_ns=9, steps_per_block=1, compile_events=0, steady=steady, reason="")
    assert flags.steadiness(ended, steady_class) == expected
