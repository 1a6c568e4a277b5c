"""Checks before the clock: does the machine do what was declared?

``sync``: a known product takes at least the time its FLOPs need, and longer than one of an eighth of its
work: otherwise the barrier does not wait. ``precision``: the product's error has the signature of fp32, not
of TF32 or bf16. ``threads``: what was asked for is what is read back, and no more threads want to run.
"""

from __future__ import annotations

import time

import numpy as np

from harness.environment import cores_allowed, max_clock_hz
from harness.frameworks import Stack
from harness.record import Canary, Settings
from harness.telemetry.proc import task_times
from harness.thread_pools import TEAMS

SMALL, MIDDLE, LARGE = 384, 768, 1536

# fp32 operations per cycle and core that no CPU exceeds: two fused multiply-add units of 32 lanes
FLOPS_PER_CYCLE = 128
FALLBACK_CLOCK_HZ = 6.5e9

# Relative l2 error of a product of uniform numbers: fp32 about 1e-7 to 1e-6, TF32 3e-4, bf16 2e-3.
FP32_ERROR = 1e-5

# Eight times the work takes at least twice the time; calls that do not wait take the same time. Far from
# eight on purpose: on a busy host every parallel region may cost a time slice of some ms, which must not look
# like a broken barrier.
SCALING = 2.0
PARALLEL = 1.2  # mean number of threads that want to run: more than one


def operands(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Two (size, size) fp32 arrays, uniform in [-1, 1), the same on every machine."""
    words = np.random.Philox(key=size).random_raw(2 * size * size)
    values = (words >> np.uint64(40)).astype(np.float32) / np.float32(2**23) - np.float32(1)
    a, b = values.reshape(2, size, size)
    return a, b


def check(stack: Stack, settings: Settings, cores: int) -> list[Canary]:
    """All canaries that make sense on this device, in about half a second."""
    return [precision(stack), sync(stack), threads(stack, settings, cores)]


def precision(stack: Stack) -> Canary:
    """The error of one product against float64."""
    a, b = operands(SMALL)
    exact = a.astype(np.float64) @ b.astype(np.float64)
    observed = stack.to_host(stack.barrier(stack.matmul(SMALL)()))
    error = float(np.linalg.norm(observed - exact) / np.linalg.norm(exact))
    return Canary(
        name="precision",
        passed=error <= FP32_ERROR,
        expected=f"fp32: relative error of a product <= {FP32_ERROR:.0e}",
        observed=f"{error:.1e}",
    )


def sync(stack: Stack) -> Canary:
    """Time of a product against its FLOPs over a generous bound of this machine's peak."""
    small, large = _seconds(stack, MIDDLE, 5), _seconds(stack, LARGE, 3)
    peak = cores_allowed() * FLOPS_PER_CYCLE * (max_clock_hz() or FALLBACK_CLOCK_HZ)
    least = 2.0 * LARGE**3 / peak
    return Canary(
        name="sync",
        passed=large >= least and large >= SCALING * small,
        expected=f"a {LARGE} product takes >= {least * 1e3:.3f} ms and >= {SCALING:g} times a {MIDDLE} one",
        observed=f"{large * 1e3:.3f} ms, {large / small:.1f} times",
    )


def _seconds(stack: Stack, size: int, repetitions: int) -> float:
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
    """Teams of threads read back, and how many of this process's threads want a core during a product.

    Time on a core and time waiting for one, over wall time, is the mean number of threads that want to run: at
    most the team's size, however busy the host. A pool's caller and one dispatching thread may work beside its
    ``cores`` workers. More is a team made for another machine; about one, where there are two cores, is a pool
    that was never started.
    """
    product = stack.matmul(MIDDLE)
    stack.barrier(product())
    before, start = task_times("self"), time.perf_counter_ns()
    for _ in range(6):
        stack.barrier(product())
    after, wall_ns = task_times("self"), time.perf_counter_ns() - start
    least = 0.0 if cores == 1 else PARALLEL
    expected = f"every team read back {cores}; between {least:g} and {cores + 2} threads that want to run"
    teams = {name: settings.threads[name] for name in TEAMS if settings.threads.get(name) is not None}
    read_back = ", ".join(f"{name} {count}" for name, count in teams.items()) or "nothing"
    if before is None or after is None:
        return Canary(
            name="threads", passed=None, expected=expected, observed="no /proc/self/task/*/schedstat"
        )
    runnable_ns = sum(sum(now) - sum(before.get(task, (0, 0))) for task, now in after.items())
    wanting = runnable_ns / wall_ns
    return Canary(
        name="threads",
        passed=set(teams.values()) <= {cores} and least <= wanting <= cores + 2,
        expected=expected,
        observed=f"read back {read_back}; {wanting:.2f} threads",
    )
