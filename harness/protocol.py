"""Warm-up, block size, blocks: how a callable is timed. Knows neither a framework nor a workload.

``run(n)`` does n steps and returns the last step's output unwaited; ``barrier(output)`` waits for it.
A block is ``run(n)`` between two barriers. Derivations and simulations behind the rules: the method page.
"""

from __future__ import annotations

import gc
import math
import multiprocessing
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from harness import steadiness
from harness.record import Block, Latency, Protocol, WarmUp
from harness.telemetry.proc import read

Run = Callable[[int], Any]
Barrier = Callable[[Any], Any]
Clock = Callable[[], int]

BARRIER_SHARE = 0.01
CALL_OVERHEAD_SHARE = 0.01
P99_MIN_STEPS = 500
_CALIBRATION_BUDGET_NS = 4_000_000_000


class BlockSize(NamedTuple):
    """Steps per block and what decided it; times in ns.

    ``call_overhead_ns`` is the intercept of time against n; null when measuring it would take too long.
    ``overhead_is_sure`` says that every repetition put it above 1 % of the block.
    """

    steps: int
    barrier_ns: int
    call_overhead_ns: int | None
    overhead_is_sure: bool


def timed(run: Run, barrier: Barrier, steps: int, clock: Clock = time.perf_counter_ns) -> int:
    """Wall ns of ``steps`` steps up to the end of the barrier."""
    start = clock()
    barrier(run(steps))
    return clock() - start


def warm_up(
    run: Run,
    barrier: Barrier,
    protocol: Protocol,
    compile_events: Callable[[], int | None],
    clock: Clock = time.perf_counter_ns,
) -> WarmUp:
    """Run blocks until two neighbouring windows agree and nothing compiles any more, or a cap is reached.

    Every half window the last two windows of K blocks are compared; they agree when both the ratio of
    their medians and the median of the paired ratios t[i+K] / t[i] are within the tolerance, or within what
    the noise from block to block explains, and ``compile_events`` did not grow over both. The rule ends after
    ``warmup_agreements`` agreements in a row, not before ``warmup_min_s``. A framework that does not count its
    compilations (null) cannot hold it up, and the reason says so.
    """
    window = protocol.warmup_window
    start = clock()
    steps = 1
    per_step: list[float] = []
    events: list[int | None] = []
    agreements = 0
    while True:
        block_ns = timed(run, barrier, steps, clock)
        if block_ns < protocol.warmup_block_ms * 1e6 / 2 and not per_step:
            # finding the block size: at least the target, growing at most eightfold at a time
            wanted = protocol.warmup_block_ms * 1e6 / max(block_ns, 1)
            steps *= min(8, max(2, math.ceil(wanted)))
            continue
        per_step.append(block_ns / steps)
        events.append(compile_events())
        if block_ns < protocol.warmup_block_ms * 1e6 / 2:  # steps became faster: keep blocks long enough
            steps *= 2
        elapsed_s = (clock() - start) / 1e9
        count = len(per_step)
        if count >= 2 * window and (count - 2 * window) % max(1, window // 2) == 0:
            settled = agree(per_step, window, protocol.warmup_tolerance)
            quiet = events[-1] == events[-2 * window]  # two nulls: nothing is known, nothing held up
            agreements = agreements + 1 if settled and quiet else 0
        steady = agreements >= protocol.warmup_agreements and elapsed_s >= protocol.warmup_min_s
        # 300 blocks of 25 ms end before the 10 s that a GPU needs to warm: the time counts first
        many = count >= protocol.warmup_max_blocks and elapsed_s >= protocol.warmup_min_s
        capped = many or elapsed_s >= protocol.warmup_max_s
        if steady or capped:
            break
    if steady:
        reason = f"{agreements} agreement(s) of two windows of {window} blocks"
    elif many:
        reason = f"no agreement within {protocol.warmup_max_blocks} blocks"
    else:
        reason = f"no agreement within {protocol.warmup_max_s:g} s"
    if events[-1] is None:
        reason += "; compilations are not counted"
    return WarmUp(
        blocks=count,
        wall_ns=clock() - start,
        steps_per_block=steps,
        compile_events=events[-1],
        steady=steady,
        reason=reason,
    )


def agree(times: Sequence[float], window: int, tolerance: float) -> bool:
    """Whether the last two windows of ``times`` have the same median and no paired drift.

    Never asked to agree more closely than to one standard error, s sqrt(2 / K): on a machine with much noise two
    windows of one level are seldom within the tolerance of each other.
    """
    noise = steadiness.noise(np.log(np.asarray(times[-2 * window :], dtype=np.float64)))
    tolerance = max(tolerance, noise * math.sqrt(2.0 / window))
    last, before = times[-window:], times[-2 * window : -window]
    shift = abs(math.log(median(last) / median(before)))
    drift = abs(median(math.log(b / a) for a, b in zip(before, last, strict=True)))
    return shift <= tolerance and drift <= tolerance


def block_size(
    run: Run, barrier: Barrier, protocol: Protocol, warm_steps: int, clock: Clock = time.perf_counter_ns
) -> BlockSize:
    """Steps per block: at least ``block_ms``, barrier and call overhead below 1 %, up to ``block_max_ms``.

    ``warm_steps`` is the size of a warm-up block. The overhead of a call is the intercept of time against n:
    each repetition times a quarter, a half and a whole warm-up block and gives one intercept. Their median
    counts, and only if all repetitions agree on its sign: one step's noise is no overhead.
    """
    output = barrier(run(1))
    barriers = []
    for _ in range(9):
        start = clock()
        barrier(output)
        barriers.append(clock() - start)
    barrier_ns = int(median(barriers))

    intercepts = _intercepts(run, barrier, max(1, warm_steps // 4), clock)
    overhead = max(0, int(median(intercepts))) if intercepts else None
    real = overhead if overhead is not None and min(intercepts) > 0 else 0

    longest = protocol.block_max_ms * 1e6
    wanted = max(protocol.block_ms * 1e6, barrier_ns / BARRIER_SHARE, real / CALL_OVERHEAD_SHARE)
    wanted = min(wanted, longest)
    steps = max(1, warm_steps)
    while True:
        block_ns = timed(run, barrier, steps, clock)
        if block_ns >= wanted:  # the shortest of three: stalls must not make a small block look long enough
            block_ns = min(block_ns, *(timed(run, barrier, steps, clock) for _ in range(2)))
        if block_ns >= wanted:
            break
        steps = min(4 * steps, math.ceil(1.02 * steps * wanted / max(1, block_ns)))
    if block_ns > 2 * longest:  # one warm-up block of steps that have become slower
        steps = max(1, int(steps * longest / block_ns))
    return BlockSize(
        steps=steps,
        barrier_ns=barrier_ns,
        call_overhead_ns=overhead,
        overhead_is_sure=bool(intercepts) and min(intercepts) > CALL_OVERHEAD_SHARE * block_ns,
    )


def _intercepts(run: Run, barrier: Barrier, base: int, clock: Clock) -> list[float]:
    """Intercepts of time against n at base, 2 base, 4 base steps (the first two where steps are long)."""
    single = min(timed(run, barrier, base, clock) for _ in range(2))
    if 35 * single <= _CALIBRATION_BUDGET_NS / 4:
        counts, repetitions = [base, 2 * base, 4 * base], 5
    elif 9 * single <= _CALIBRATION_BUDGET_NS:
        counts, repetitions = [base, 2 * base], 3
    else:
        return []
    return [line(counts, [timed(run, barrier, n, clock) for n in counts])[0] for _ in range(repetitions)]


def line(counts: Sequence[int], times: Sequence[int]) -> tuple[float, float]:
    """Theil-Sen line through (n, t): the median of all pairs' slopes, then the median intercept."""
    pairs = [(i, j) for i in range(len(counts)) for j in range(i + 1, len(counts))]
    slope = median((times[j] - times[i]) / (counts[j] - counts[i]) for i, j in pairs)
    return median(t - slope * n for n, t in zip(counts, times, strict=True)), slope


def waited_ns() -> int | None:
    """Time for which the calling thread has waited in a run queue; null where the kernel does not count it."""
    fields = (read("/proc/thread-self/schedstat") or "").split()
    return int(fields[1]) if len(fields) >= 2 else None


def cpu_ns() -> int:
    """CPU time of this process and of the worker processes that it has now: a loader's work for it."""
    workers = [worker.pid for worker in multiprocessing.active_children() if worker.pid is not None]
    # Linux' number for the CPU clock of another process: clock_getcpuclockid(3)
    return time.process_time_ns() + sum(time.clock_gettime_ns((~pid << 3) | 2) for pid in workers)


def measure(
    run: Run,
    barrier: Barrier,
    protocol: Protocol,
    steps: int,
    clock: Clock = time.perf_counter_ns,
    cpu_clock: Clock = cpu_ns,
    wait_clock: Callable[[], int | None] = lambda: None,
) -> tuple[list[Block], Any]:
    """Timed blocks of ``steps`` steps and the last output.

    ``measure_blocks`` or ``measure_s``, whichever is longer, at most ``measure_max_s``. Garbage is collected
    between blocks, outside the clock; inside a block Python's collector runs as it does for any user. With
    ``wait_clock=waited_ns`` each block has its run-queue wait (ten bytes more in the record).
    """
    blocks: list[Block] = []
    gc.freeze()
    begin = clock()
    output = None
    while True:
        gc.collect()
        wait_start = wait_clock()
        cpu_start, start = cpu_clock(), clock()
        output = barrier(run(steps))
        wall_ns, cpu_ns = clock() - start, cpu_clock() - cpu_start
        wait_end = wait_clock()
        wait_ns = None if wait_start is None or wait_end is None else wait_end - wait_start
        blocks.append(Block(steps=steps, wall_ns=wall_ns, cpu_ns=cpu_ns, wait_ns=wait_ns))
        elapsed_s = (clock() - begin) / 1e9
        enough = len(blocks) >= protocol.measure_blocks and elapsed_s >= protocol.measure_s
        if enough or elapsed_s >= protocol.measure_max_s:
            break
    gc.unfreeze()
    return blocks, output


def latencies(run: Run, barrier: Barrier, steps: int, clock: Clock = time.perf_counter_ns) -> list[int]:
    """Wall ns of ``steps`` single steps, a barrier after each."""
    return [timed(run, barrier, 1, clock) for _ in range(steps)]


def percentiles(times: Sequence[int]) -> Latency:
    """p50, p90, p95, and p99 from 500 steps on (below, it would be one or two observations)."""
    p50, p90, p95, p99 = (int(value) for value in np.percentile(times, [50, 90, 95, 99]))
    enough = len(times) >= P99_MIN_STEPS
    return Latency(steps=len(times), p50_ns=p50, p90_ns=p90, p95_ns=p95, p99_ns=p99 if enough else None)
