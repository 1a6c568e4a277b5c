"""Canaries must see a barrier that does not wait, a wrong precision, and a wrong team of threads."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import numpy as np
import pytest

from harness import canaries, flags, roofline
from harness.operands import operands
from harness.record import Gpu, Metric, Precision, Settings, Telemetry
from harness.telemetry import proc

SETTINGS = Settings(layout=None, threads={"intra": 1}, precision={}, compile={})
FP32 = Settings(layout=None, threads={}, precision={"float32_matmul": "highest"}, compile={})
TF32 = Settings(layout=None, threads={}, precision={"float32_matmul": "high"}, compile={})
BOUND = canaries.flops_bound(SETTINGS, "cpu")
BF16 = Settings(layout=None, threads={}, precision={"compute": "bfloat16"}, compile={})

Rounding = Callable[[np.ndarray], np.ndarray]


def cut(mantissa_bits: int) -> Rounding:
    """Keep the upper ``mantissa_bits`` of 23, cutting off the rest: TF32 has 10, bf16 7."""
    mask = np.uint32(0xFFFFFFFF << (23 - mantissa_bits) & 0xFFFFFFFF)
    return lambda array: (array.view(np.uint32) & mask).view(np.float32)


def nearest(mantissa_bits: int) -> Rounding:
    """The same to nearest: half of the last kept place is added before the cut."""
    half = np.uint32(1 << (22 - mantissa_bits))
    return lambda array: cut(mantissa_bits)((array.view(np.uint32) + half).view(np.float32))


def fp16(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float16).astype(np.float32)


class NumpyStack:
    """A stack whose operands may be rounded."""

    name = "numpy"

    def __init__(self, rounding: Rounding = lambda array: array) -> None:
        self.rounding = rounding

    def matmul(self, size: int) -> Callable[[], Any]:
        a, b = (self.rounding(array) for array in operands(size))
        return lambda: a @ b

    def barrier(self, output: Any) -> Any:
        return output

    def to_host(self, tensor: Any) -> np.ndarray:
        return np.asarray(tensor)

    def close(self) -> None:
        """Finish what is queued: it would disturb the next test."""


class UnwaitedStack(NumpyStack):
    """A product is queued on another thread, as on a GPU; the barrier may forget to wait for it."""

    def __init__(self, waits: bool) -> None:
        super().__init__()
        self.waits, self.queue = waits, ThreadPoolExecutor(1)

    def matmul(self, size: int) -> Callable[[], Any]:
        product = super().matmul(size)
        return lambda: self.queue.submit(product)

    def barrier(self, output: Any) -> Any:
        return output.result() if self.waits else output

    def close(self) -> None:
        self.queue.shutdown()


class LazyStack(NumpyStack):
    """A product that is never computed."""

    def matmul(self, size: int) -> Callable[[], Any]:
        a, _ = operands(size)
        return lambda: a


class DisturbedStack(NumpyStack):
    """A sound stack whose first few small products wait for a neighbour on the machine."""

    def __init__(self) -> None:
        super().__init__()
        self.disturbed = 6

    def matmul(self, size: int) -> Callable[[], Any]:
        product = super().matmul(size)

        def disturbed() -> Any:
            if size == canaries.SIZES["cpu"].middle and self.disturbed:
                self.disturbed -= 1
                time.sleep(0.3)
            return product()

        return disturbed


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
    a, b = operands(4)
    assert a.dtype == b.dtype == np.float32 and a.shape == b.shape == (4, 4)
    assert np.abs(a).max() < 2.0**-20 and 0 < np.abs(b).max() < 2.0**15
    np.testing.assert_array_equal(a, operands(4)[0])
    assert hashlib.sha256(b.tobytes()).hexdigest().startswith("c8f7c69d737cebbe")
    whole, _ = operands(64)
    assert abs(whole.mean()) < 2.0**-20 / 16  # seven standard errors


def test_fp32_passes() -> None:
    canary = canaries.precision(NumpyStack(), "fp32", "cpu")  # type: ignore[arg-type]
    assert canary.passed and canary.observed.endswith("as fp32 gives")


@pytest.mark.parametrize(
    ("rounding", "declared"),
    [(nearest(10), "tf32"), (cut(10), "tf32"), (nearest(7), "bf16"), (cut(7), "bf16")],
)
def test_the_declared_precision_passes_and_fp32_in_its_disguise_does_not(
    rounding: Rounding, declared: Precision
) -> None:
    assert canaries.precision(NumpyStack(rounding), declared, "cpu").passed  # type: ignore[arg-type]
    assert not canaries.precision(NumpyStack(), declared, "cpu").passed  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rounding", "name"),
    [
        (nearest(10), "tf32"),
        (cut(10), "tf32"),
        (nearest(7), "bf16"),
        (cut(7), "bf16"),
        (fp16, "fp16"),
    ],
    ids=["tf32-nearest", "tf32-cut", "bf16-nearest", "bf16-cut", "fp16"],
)
def test_another_format_is_refused_and_named(rounding: Rounding, name: str) -> None:
    canary = canaries.precision(NumpyStack(rounding), "fp32", "cpu")  # type: ignore[arg-type]
    assert canary.passed is False
    assert canary.observed.endswith(f", as {name} gives")
    assert "fp32" in canary.expected


def test_an_error_that_no_format_gives_is_refused_without_a_name() -> None:
    half = canaries.precision(NumpyStack(lambda array: array / 2), "fp32", "cpu")  # type: ignore[arg-type]
    assert half.passed is False and "as" not in half.observed
    lost = canaries.precision(NumpyStack(lambda array: array * np.float32("nan")), "fp32", "cpu")  # type: ignore[arg-type]
    assert lost.passed is False and lost.observed == "nan"


@pytest.mark.parametrize(
    ("stack", "passed"),
    [
        (NumpyStack(), True),
        (DisturbedStack(), True),
        (UnwaitedStack(True), True),
        (UnwaitedStack(False), False),
        (LazyStack(), False),
    ],
    ids=["direct", "disturbed", "queued", "queued-not-waited", "never-computed"],
)
def test_a_barrier_that_does_not_wait_fails(stack: NumpyStack, passed: bool) -> None:
    canary = canaries.sync(stack, "cpu", BOUND)  # type: ignore[arg-type]
    stack.close()
    assert canary.passed is passed, canary


def test_a_product_faster_than_the_bound_fails() -> None:
    """A machine of which one knows that it cannot be that fast: a bound of 1 MFLOP/s."""
    canary = canaries.sync(NumpyStack(), "cpu", 1e6)  # type: ignore[arg-type]
    assert canary.passed is False


def gpu(name: str, pci_device_id: str | None = None) -> Gpu:
    return Gpu(name=name, uuid_sha256="0" * 64, pci_device_id=pci_device_id)


KNOWN = gpu("NVIDIA H200", "0x233510de")


@pytest.mark.parametrize(
    ("gpus", "settings", "bound"),
    [
        ([KNOWN], FP32, 67e12),
        ([KNOWN], TF32, 494.5e12),
        ([KNOWN, gpu("NVIDIA L4", "0x27b810de")], FP32, 67e12),  # the faster of two
        ([KNOWN, gpu("NVIDIA X1")], FP32, 2250e12),  # the fastest there is
        ([gpu("Tesla T4", "0x1eb810de")], TF32, 2250e12),
        ([KNOWN], SETTINGS, 2250e12),
        ([], FP32, 2250e12),
    ],
)
def test_the_bound_of_a_gpu_is_its_peak_in_the_precision_read_back(
    gpus: list[Gpu], settings: Settings, bound: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.environment.gpus", lambda: gpus)
    assert canaries.flops_bound(settings, "gpu") == pytest.approx(canaries.HEADROOM * bound)


def test_on_a_gpu_products_are_large_enough_to_be_told_from_a_launch() -> None:
    """On the fastest GPU for fp32 the larger product takes over 10 ms, the smaller one over 1 ms."""
    fastest = max(gpu.peak("fp32") or 0.0 for gpu in roofline.table())
    sizes = canaries.SIZES["gpu"]
    assert sizes.large == 2 * sizes.middle
    assert 2 * sizes.large**3 / fastest > 10e-3
    assert 2 * sizes.middle**3 / fastest > 1e-3


@pytest.fixture
def other_threads_sleep() -> None:
    """A pool of NumPy's spins for a while after its last product."""
    for _ in range(1200):
        before = proc.task_times("self") or {}
        time.sleep(0.05)
        after = proc.task_times("self") or {}
        after.pop(str(threading.get_native_id()), None)
        if all(before.get(task, (0, 0))[0] == on_core for task, (on_core, _) in after.items()):
            return
    pytest.fail("a thread of this process has been busy for a minute")


@pytest.mark.usefixtures("other_threads_sleep")
@pytest.mark.parametrize(("team", "passed"), [(1, True), (12, False)])
def test_a_team_for_another_machine_fails(team: int, passed: bool) -> None:
    """One core asked for: one busy thread is right, twelve are a team for another machine."""
    assert canaries.threads(BusyStack(team), SETTINGS, cores=1).passed is passed  # type: ignore[arg-type]


def test_on_a_gpu_an_idle_pool_is_right() -> None:
    settings = Settings(layout=None, threads={"intra": 2}, precision={}, compile={})
    on_gpu = canaries.threads(BusyStack(1), settings, 2, "gpu")  # type: ignore[arg-type]
    assert on_gpu.passed and "between 0 and" in on_gpu.expected
    on_cpu = canaries.threads(BusyStack(1), settings, 2, "cpu")  # type: ignore[arg-type]
    assert "between 1.2 and" in on_cpu.expected  # what else runs here decides the outcome


def test_threads_not_read_back_fail() -> None:
    for threads in ({"intra": 7}, {"intra": 1, "omp": 7}, {"intra": None, "xla_pool": 7}):
        settings = Settings(layout=None, threads=threads, precision={}, compile={})
        canary = canaries.threads(BusyStack(1), settings, cores=1)  # type: ignore[arg-type]
        assert canary.passed is False
        assert " 7" in canary.observed


@pytest.mark.usefixtures("other_threads_sleep")
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
    ended_before = msgspec.structs.replace(counters(steal=0.12e9), window_ns=0)
    assert flags.noise(ended_before, 2) == [flags.NOISE_UNKNOWN]


def test_a_core_with_a_unit_for_matrices_may_do_more_in_bf16() -> None:
    """AMX does eight times the products of the widest vectors: that is no broken barrier."""
    fp32, bf16 = canaries.flops_bound(FP32, "cpu"), canaries.flops_bound(BF16, "cpu")
    assert bf16 >= 8 * fp32
    unknown = Settings(layout=None, threads={}, precision={"compute": "float8"}, compile={})
    assert canaries.flops_bound(unknown, "cpu") == bf16
