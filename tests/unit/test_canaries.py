"""Canaries must see a barrier that does not wait, a wrong precision, and a wrong team of threads."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from harness import canaries, flags
from harness.record import Metric, Settings, Telemetry

SETTINGS = Settings(layout=None, threads={"intra": 1}, precision={}, compile={})


class NumpyStack:
    """A stack whose product may be delayed, rounded, or not waited for."""

    name = "numpy"

    def __init__(self, waits: bool = True, mantissa_bits: int = 23) -> None:
        self.waits, self.mantissa_bits = waits, mantissa_bits

    def matmul(self, size: int) -> Callable[[], Any]:
        a, b = (self.rounded(array) for array in canaries.operands(size))
        return lambda: a @ b if self.waits else a

    def rounded(self, array: np.ndarray) -> np.ndarray:
        """Keep the upper ``mantissa_bits`` of 23, as TF32 (10) and bf16 (7) do."""
        mask = np.uint32(0xFFFFFFFF << (23 - self.mantissa_bits) & 0xFFFFFFFF)
        return (array.view(np.uint32) & mask).view(np.float32)

    def barrier(self, output: Any) -> Any:
        return output

    def to_host(self, tensor: Any) -> np.ndarray:
        return np.asarray(tensor)


class BusyStack(NumpyStack):
    """A product that keeps a pool of ``team`` threads busy for a moment."""

    def __init__(self, team: int) -> None:
        super().__init__()
        self.team, self.pool = team, ThreadPoolExecutor(team)

    def matmul(self, size: int) -> Callable[[], Any]:
        together = threading.Barrier(self.team)
        return lambda: list(self.pool.map(_hash, [together] * self.team))


def _hash(together: threading.Barrier) -> None:
    """About 5 ms of work that releases the interpreter lock, on every thread of the pool."""
    together.wait()
    hashlib.sha256(bytes(1 << 22)).digest()


def test_operands_are_the_same_everywhere() -> None:
    a, b = canaries.operands(4)
    assert a.dtype == np.float32 and a.shape == b.shape == (4, 4)
    assert a.min() >= -1 and a.max() < 1
    np.testing.assert_array_equal(a, canaries.operands(4)[0])
    assert not np.array_equal(a, b)


def test_fp32_passes_and_tf32_and_bf16_fail() -> None:
    assert canaries.precision(NumpyStack()).passed  # type: ignore[arg-type]
    for bits in (10, 7):
        canary = canaries.precision(NumpyStack(mantissa_bits=bits))  # type: ignore[arg-type]
        assert canary.passed is False
        assert "fp32" in canary.expected


def test_a_barrier_that_does_not_wait_fails() -> None:
    assert canaries.sync(NumpyStack()).passed  # type: ignore[arg-type]
    assert canaries.sync(NumpyStack(waits=False)).passed is False  # type: ignore[arg-type]


@pytest.mark.parametrize(("team", "passed"), [(1, True), (12, False)])
def test_a_team_for_another_machine_fails(team: int, passed: bool) -> None:
    """One core asked for: one busy thread is right, twelve are a team for another machine."""
    assert canaries.threads(BusyStack(team), SETTINGS, cores=1).passed is passed  # type: ignore[arg-type]


def test_threads_not_read_back_fail() -> None:
    for threads in ({"intra": 7}, {"intra": 1, "omp": 7}, {"intra": None, "xla_pool": 7}):
        settings = Settings(layout=None, threads=threads, precision={}, compile={})
        canary = canaries.threads(BusyStack(1), settings, cores=1)  # type: ignore[arg-type]
        assert canary.passed is False
        assert " 7" in canary.observed


def test_threads_between_operations_are_no_team() -> None:
    """``inter`` is one where ``intra`` is four; what cannot be read back decides nothing."""
    settings = Settings(layout=None, threads={"inter": 4, "mkl": None}, precision={}, compile={})
    canary = canaries.threads(BusyStack(1), settings, cores=1)  # type: ignore[arg-type]
    assert canary.passed
    assert canary.observed.startswith("read back nothing")


def counters(**deltas: float | None) -> Telemetry:
    """A window of 1 s on 2 cores."""
    quiet = {"run_queue_wait": 0.0, "on_cpu": 1e9, "host_busy": 1e9, "cpu_time": 1e9}
    metrics = {name: Metric(support="ok", unit="ns", delta=delta) for name, delta in (quiet | deltas).items()}
    return Telemetry(hz=10.0, ticks=10, missed_ticks=0, window_ns=1_000_000_000, metrics=metrics)


@pytest.mark.parametrize(
    ("wait", "expected"),
    [
        (0.0, []),
        (0.02e9, []),
        (0.05e9, [flags.NOISY]),
        (0.2e9, [flags.UNRANKED]),
        (None, [flags.NOISE_UNKNOWN]),
    ],
)
def test_waiting_for_others_is_noise(wait: float | None, expected: list[str]) -> None:
    assert flags.noise(counters(run_queue_wait=wait, host_busy=2e9), 2) == expected


def test_threads_that_wait_for_each_other_are_not() -> None:
    assert flags.noise(counters(run_queue_wait=0.8e9), 2) == []


def test_nobody_waits_for_others_longer_than_they_ran() -> None:
    assert flags.noise(counters(run_queue_wait=0.5e9, host_busy=1.06e9), 2) == [flags.NOISY]


def test_stolen_and_throttled_time_count_as_noise() -> None:
    assert flags.noise(counters(steal=0.12e9, cgroup_throttled=0.05e9), 2) == [flags.UNRANKED]


def test_without_telemetry_the_noise_is_unknown() -> None:
    assert flags.noise(None, 2) == [flags.NOISE_UNKNOWN]
