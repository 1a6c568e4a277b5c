"""Checks before the clock: does the machine do what was declared?

``sync``: a known product takes at least the time its FLOPs need, and longer than one of an eighth of its
work: otherwise the barrier does not wait. ``precision``: the product's error has the signature of the
precision that was declared, and of no other. ``threads``: what was asked for is what is read back, and no more
threads want to run.
"""

from __future__ import annotations

import math
import time
from typing import Literal, NamedTuple

import numpy as np

from harness import environment, roofline
from harness.cores import cores_allowed
from harness.frameworks import Stack
from harness.operands import operands
from harness.record import Canary, Case, Precision, Settings
from harness.telemetry.proc import task_times
from harness.thread_pools import TEAMS

Device = Literal["cpu", "gpu"]


class Sizes(NamedTuple):
    """Edges of the square products. A GPU needs large ones: a launch costs some 10 µs whatever it launches."""

    precision: int
    middle: int
    large: int  # twice the middle one: eight times its work


SIZES: dict[Device, Sizes] = {"cpu": Sizes(384, 768, 1536), "gpu": Sizes(1024, 4096, 8192)}

# fp32 operations per cycle and core that no CPU exceeds: two fused multiply-add units of 32 lanes
FLOPS_PER_CYCLE = 128
# Times as many of a unit for matrices: Intel's AMX does 1024 on bf16, and 2048 if it is counted generously.
TILES: dict[str, int] = {"fp32": 1, "tf32": 1, "bf16": 16}
FALLBACK_CLOCK_HZ = 6.5e9
# Cards run above the boost clock of their data sheet (an RTX 4090 reaches 2.8 GHz, its sheet says 2.52).
HEADROOM = 1.25

# Relative l2 error of the product against float64, emulated by rounding the operands, to nearest and by cutting off
# (tests/unit/test_canaries.py): fp32 3.5e-7; TF32 2.6e-4, 6.9e-4; bf16 2.1e-3, 5.5e-3; fp16 3.1e-2, 6.3e-2,
# whatever the size. The bounds between two formats are the geometric means of their nearest figures.
SIGNATURES = {"fp32": (0.0, 1e-5), "tf32": (1e-4, 1.2e-3), "bf16": (1.2e-3, 1.3e-2), "fp16": (1.3e-2, 0.25)}

# Eight times the work takes at least twice the time; calls that do not wait take the same time. Far from
# eight on purpose: on a busy host every parallel region may cost a time slice of some ms, which must not look
# like a broken barrier.
SCALING = 2.0
# Neighbours can make even the best of a few short products slow. Looking again does not help a broken barrier: its
# least times stay those of a call that waits for nothing.
LOOKS = 4
PARALLEL = 1.2  # mean number of threads that want to run: more than one


def check(stack: Stack, settings: Settings, case: Case) -> list[Canary]:
    """All canaries, in about half a second (a GPU: some seconds, to make and send its operands)."""
    return [
        precision(stack, case.precision, case.device),
        sync(stack, case.device, flops_bound(settings, case.device)),
        threads(stack, settings, case.cores // (settings.threads.get("processes") or 1), case.device),
    ]


def precision(stack: Stack, declared: Precision, device: Device) -> Canary:
    """The error of one product against float64, and the format that gives such an error: is it the declared one?"""
    size = SIZES[device].precision
    a, b = operands(size)
    exact = a.astype(np.float64) @ b.astype(np.float64)
    observed = stack.to_host(stack.barrier(stack.matmul(size)()))
    error = float(np.linalg.norm(observed - exact) / np.linalg.norm(exact))
    low, high = SIGNATURES[declared]
    as_of = next(
        (f", as {name} gives" for name, (low, high) in SIGNATURES.items() if low <= error < high), ""
    )
    return Canary(
        name="precision",
        passed=low <= error < high,
        expected=f"{declared}: relative error of a product from {low:.0e} to {high:.0e}",
        observed=f"{error:.1e}{as_of}",
    )


def flops_bound(settings: Settings, device: Device) -> float:
    """FLOP/s that this machine does not exceed; generous, as an honest stack must never be refused.

    A CPU: the widest units there are for the precision that was read back, at its highest clock. A GPU: its peak in
    that precision, with headroom; the fastest of the table's where it, or the precision, is unknown.
    """
    ran, _ = roofline.precision_ran(settings.precision, device)
    if device == "cpu":
        clock = environment.max_clock_hz() or FALLBACK_CLOCK_HZ
        processes = settings.threads.get("processes") or 1  # of which each may use as many cores
        return processes * cores_allowed() * FLOPS_PER_CYCLE * TILES[ran or "bf16"] * clock
    rows = [roofline.find(gpu) for gpu in environment.gpus()]
    peaks = [row.peak(ran) if row is not None and ran is not None else None for row in rows]
    known = [peak for peak in peaks if peak is not None]
    peak = max(known) if known and len(known) == len(rows) else roofline.fastest()
    return (settings.gpus_visible or 1) * HEADROOM * peak


def sync(stack: Stack, device: Device, bound: float) -> Canary:
    """Time of a product against its FLOPs at ``bound`` FLOP/s, and against a product of an eighth of its work.

    Least times of up to four looks: the first that is in order is the last.
    """
    _, middle, large = SIZES[device]
    least = 2.0 * large**3 / bound
    shorter = longer = math.inf
    passed = False
    for _ in range(LOOKS):
        shorter, longer = min(shorter, _seconds(stack, middle, 5)), min(longer, _seconds(stack, large, 3))
        passed = longer >= least and longer >= SCALING * shorter
        if passed:
            break
    return Canary(
        name="sync",
        passed=passed,
        expected=f"a {large} product takes >= {least * 1e3:.3f} ms and >= {SCALING:g} times a {middle} one",
        observed=f"{longer * 1e3:.3f} ms, {longer / shorter:.1f} times",
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


def threads(stack: Stack, settings: Settings, cores: int, device: Device = "cpu") -> Canary:
    """Teams of threads read back, and how many of this process's threads want a core during a product.

    Time on a core and time waiting for one, over wall time, is the mean number of threads that want to run: at
    most the team's size, however busy the host. A pool's caller and one dispatching thread may work beside its
    ``cores`` workers. More is a team made for another machine; about one, where there are two cores, is a pool
    that was never started (on a GPU it has nothing to do).
    """
    product = stack.matmul(SIZES["cpu"].middle)
    stack.barrier(product())
    before, start = task_times("self"), time.perf_counter_ns()
    for _ in range(6):
        stack.barrier(product())
    after, wall_ns = task_times("self"), time.perf_counter_ns() - start
    least = 0.0 if cores == 1 or device == "gpu" else PARALLEL
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
