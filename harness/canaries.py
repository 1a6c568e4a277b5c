"""Checks before the clock: does the machine do what was declared?

``sync``: a known product takes at least the time its FLOPs need, and much longer than one of a 64th of its
work: otherwise the barrier does not wait. ``precision``: the product's error has the signature of fp32, not
of TF32 or bf16. ``threads``: what was asked for is what is read back, and what the product makes busy.
"""

from __future__ import annotations

import time

import numpy as np

from harness.environment import cores_allowed, max_clock_hz
from harness.frameworks import Stack
from harness.record import Canary, Settings
from harness.telemetry.proc import task_times

SMALL, MIDDLE, LARGE = 192, 384, 768

# fp32 operations per cycle and core that no CPU exceeds: two fused multiply-add units of 32 lanes
FLOPS_PER_CYCLE = 128
FALLBACK_CLOCK_HZ = 6.5e9

# Relative l2 error of a product of uniform numbers: fp32 about 1e-7 to 1e-6, TF32 3e-4, bf16 2e-3.
FP32_ERROR = 1e-5

# 64 times the work takes at least three times the time; calls that do not wait take the same time. Far from
# 64 on purpose: small products are inefficient, and a busy host must not look like a broken barrier.
SCALING = 3.0
BUSY_SHARE = 0.05


def operands(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Two (size, size) fp32 arrays, uniform in [-1, 1), the same on every machine."""
    words = np.random.Philox(key=size).random_raw(2 * size * size)
    values = (words >> np.uint64(40)).astype(np.float32) / np.float32(2**23) - np.float32(1)
    a, b = values.reshape(2, size, size)
    return a, b


def check(stack: Stack, settings: Settings, cores: int) -> list[Canary]:
    """All canaries that make sense on this device, in about 0.2 s."""
    return [precision(stack), sync(stack), threads(stack, settings, cores)]


def precision(stack: Stack) -> Canary:
    """The error of one product against float64."""
    a, b = operands(MIDDLE)
    exact = a.astype(np.float64) @ b.astype(np.float64)
    observed = stack.to_host(stack.barrier(stack.matmul(MIDDLE)()))
    error = float(np.linalg.norm(observed - exact) / np.linalg.norm(exact))
    return Canary(
        name="precision",
        passed=error <= FP32_ERROR,
        expected=f"fp32: relative error of a product <= {FP32_ERROR:.0e}",
        observed=f"{error:.1e}",
    )


def sync(stack: Stack) -> Canary:
    """Time of a product against its FLOPs over a generous bound of this machine's peak."""
    small, large = _seconds(stack, SMALL), _seconds(stack, LARGE)
    peak = cores_allowed() * FLOPS_PER_CYCLE * (max_clock_hz() or FALLBACK_CLOCK_HZ)
    least = 2.0 * LARGE**3 / peak
    return Canary(
        name="sync",
        passed=large >= least and large >= SCALING * small,
        expected=f"a {LARGE} product takes >= {least * 1e3:.3f} ms and >= {SCALING:g} times a {SMALL} one",
        observed=f"{large * 1e3:.3f} ms, {large / small:.1f} times",
    )


def _seconds(stack: Stack, size: int, repetitions: int = 9) -> float:
    """Least time of one product up to the barrier, the first (compiling) call left out."""
    product = stack.matmul(size)
    stack.barrier(product())
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        stack.barrier(product())
        times.append(time.perf_counter() - start)
    return min(times)


def threads(stack: Stack, settings: Settings, cores: int) -> Canary:
    """Threads read back, and how many of this process's threads a product keeps busy.

    A pool's caller may work beside its ``cores`` workers, so up to ``cores + 1`` threads are right. More is
    a team made for another machine's cores. Fewer than two with two cores is a pool that was never started.
    """
    product = stack.matmul(LARGE)
    stack.barrier(product())
    before = task_times("self")
    for _ in range(6):
        stack.barrier(product())
    after = task_times("self")
    expected = f"read back {cores}; between {min(cores, 2)} and {cores + 1} busy threads"
    read_back = settings.threads.get("intra")
    if before is None or after is None:
        return Canary(
            name="threads", passed=None, expected=expected, observed="no /proc/self/task/*/schedstat"
        )
    grown = [on_cpu - before.get(task, (0, 0))[0] for task, (on_cpu, _) in after.items()]
    busy = sum(1 for ns in grown if ns > BUSY_SHARE * sum(grown))
    return Canary(
        name="threads",
        passed=read_back in (cores, None) and min(cores, 2) <= busy <= cores + 1,
        expected=expected,
        observed=f"read back {'nothing' if read_back is None else read_back}; {busy} busy threads",
    )
