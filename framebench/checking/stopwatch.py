"""How long: blocks inside their phase, phases inside the trial, CPU time inside cores × wall, the sampler's view.

The bounds leave room: what 301 committed trials said lies well inside each of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from framebench.checking.doubt import LOOK, Doubt, refuse, warn
from framebench.checking.known import Known
from framebench.records.step_time import step_ns
from harness.record import Block, Record, Timing

TICK_NS = 10_000_000  # CPU time may be counted in ticks, one for each core
SLACK_NS = 100_000_000  # starting and ending
LEAST_SHARE = 0.5  # of the phase of the blocks, what they fill: garbage is collected between them
USUAL_SHARE, USUAL_SLACK_NS = 0.97, 20_000_000
EDGES_OF_A_GPU_NS = 300_000_000
CPU_MORE = 1.1  # CPU time of the window over that of its blocks
# How far steps of one trial seldom differ. It is no more than a warning: on a shared machine of two cores, threads that
# spin made one honest step of a single small product 1,900 times as slow as another.
UNLIKE = 5.0
# Of steps longer than 5 ms, whose call costs nothing beside them: from 0.59 to 1.88 of the warm-up's, in 395 trials;
# the second step of an eager contender longer than 20 ms up to 3.3 times, in 128.
LONG_NS, UNLIKE_LONG = 5_000_000, 2.5
LONG_ALONE_NS = 20_000_000
# A warm-up block of several steps: up to 5.3 times the length that it is made for, in 230 trials that load nothing.
UNLIKE_WARM_UP = 6.0
UNLIKE_MEAN = 2.0  # of the blocks, over their median: from 0.77 to 1.69
TICKS_SHARE = 0.5  # of the sampler's ticks, what it manages on a very busy machine
PHASES = {
    "parity": ("parity",),
    "memory": ("build", "first_step", "steps"),
    "cold-start": ("build", "first_step", "second_step"),
    "ceiling": ("canaries", "copy"),
}  # of what ended well, beside import and configuration; a timed trial has TIMED_PHASES
TIMED_PHASES = (
    "import",
    "configure",
    "build",
    "first_step",
    "second_step",
    "warm_up",
    "block_size",
    "blocks",
)
OTHER_PHASES = {
    "data",
    "load_weights",
    "shape_before",
    "shape_after",
    "rest_before",
    "rest_after",
    "observer",
    "latencies",
    "learning",
    "canaries",
    "matmul",
    "copy",
    "steps",
    "parity",
}
OUTSIDE_NS = (
    10_000_000_000  # of a trial, what is in no phase: up to 5 s in 542, half of one that compiled anew
)


def doubts(record: Record, known: Known) -> Iterator[Doubt]:
    """What one of the trial's clocks says against another."""
    yield from _phases(record)
    if record.timing is None:
        return
    timing = record.timing
    if not timing.blocks:
        yield refuse("timing.blocks", "a timed trial without a block")
        return
    walls, cpus = sum(one.wall_ns for one in timing.blocks), sum(one.cpu_ns for one in timing.blocks)
    wall = {phase.name: phase.wall_ns for phase in record.phases}
    if missing := [name for name in TIMED_PHASES if name not in wall]:
        yield refuse("phases", f"a timed trial without {', '.join(missing)}")
    if walls > wall.get("blocks", walls):
        yield refuse("timing.blocks", f"{_s(walls)} of blocks in a phase of {_s(wall['blocks'])}")
    fill = f"{_s(walls)} of blocks in a phase of {_s(wall.get('blocks', 0))}"
    # a sampler that does not answer is waited for in the phase; a GPU's counter of energy ticks at its edges
    answered = record.telemetry is not None and record.telemetry.reason is None
    slack = USUAL_SLACK_NS if record.case.device == "cpu" else EDGES_OF_A_GPU_NS
    if answered and walls < LEAST_SHARE * wall.get("blocks", 0) - SLACK_NS:
        yield refuse("timing.blocks", fill)
    elif walls < USUAL_SHARE * wall.get("blocks", 0) - slack:
        yield warn("timing.blocks", fill, LOOK)
    if abs(timing.warmup.wall_ns - wall.get("warm_up", timing.warmup.wall_ns)) > SLACK_NS:
        yield refuse(
            "timing.warmup.wall_ns", f"{_s(timing.warmup.wall_ns)}, its phase took {_s(wall['warm_up'])}"
        )
    seen = [*timing.observer.on, *timing.observer.off] if timing.observer else []
    if len({block.steps for block in (*timing.blocks, *seen)}) > 1:  # the observer's are of the same size
        yield refuse("timing.blocks", "blocks of different numbers of steps: a trial has one")
    yield from _cores("timing.blocks", timing.blocks, record.case.cores)
    if seen:
        yield from _cores("timing.observer", seen, record.case.cores)
        if sum(block.wall_ns for block in seen) > wall.get("observer", float("inf")):
            yield refuse("timing.observer", "its blocks are longer than their phase")
    yield from _alike(record, timing)
    yield from _latency(record, timing, wall)
    yield from _window(record, walls, cpus, wall.get("blocks", walls))


def _phases(record: Record) -> Iterator[Doubt]:
    total = sum(phase.wall_ns for phase in record.phases)
    if total > record.duration_ns:
        yield refuse("phases", f"{_s(total)} of phases in a trial of {_s(record.duration_ns)}")
    names = [phase.name for phase in record.phases]
    if len(set(names)) < len(names):
        yield refuse("phases", "one is there twice")
    if other := set(names) - OTHER_PHASES - {*TIMED_PHASES}:
        yield refuse("phases", f"{', '.join(sorted(other))[:100]} is no phase of a trial")
    if record.outcome.status == "ok" and not {"import", "configure"} <= set(names):
        yield refuse("phases", "a trial that ended well imported and configured its framework")
    missing = [name for name in PHASES.get(record.kind, ()) if name not in names]
    if record.outcome.status == "ok" and missing:
        yield refuse("phases", f"a {record.kind} trial that ended well without {', '.join(missing)}")
    timed = [name for name in names if name in TIMED_PHASES]
    if timed != sorted(timed, key=TIMED_PHASES.index):
        yield refuse("phases", "they are not in the order of a trial")
    if record.outcome.status == "ok" and record.duration_ns - total > max(OUTSIDE_NS, total):
        yield warn("phases", f"{_s(total)} of phases in a trial of {_s(record.duration_ns)}", LOOK)
    cores = max(record.case.cores, (record.hardware.cores_online or 0) if record.hardware else 0)
    for phase in record.phases:
        if phase.cpu_ns > cores * (phase.wall_ns + TICK_NS):
            yield refuse(
                "phases",
                f"{phase.name} used {_s(phase.cpu_ns)} of CPU in {_s(phase.wall_ns)} on {cores} cores",
            )


def _cores(field: str, blocks: Sequence[Block], cores: int) -> Iterator[Doubt]:
    """CPU time is at most cores × wall, to the grain of the clock; nobody waits longer than there is."""
    for number, block in enumerate(blocks):
        if block.cpu_ns > cores * (block.wall_ns + TICK_NS):
            yield refuse(
                field,
                f"block {number} used {_s(block.cpu_ns)} of CPU in {_s(block.wall_ns)} on {cores} cores",
            )
            return
        if (block.wait_ns or 0) > block.wall_ns + TICK_NS:
            yield refuse(field, f"block {number} waited {_s(block.wait_ns or 0)} of {_s(block.wall_ns)}")
            return


def _alike(record: Record, timing: Timing) -> Iterator[Doubt]:
    """A step takes about the same time wherever the trial did some of them."""
    step = step_ns(record)
    assert step is not None
    others: dict[str, float] = {
        "timing.warmup": timing.warmup.wall_ns / timing.warmup.blocks / timing.warmup.steps_per_block
    }
    if timing.observer is not None:
        both = [*timing.observer.on, *timing.observer.off]
        others["timing.observer"] = median(block.wall_ns / block.steps for block in both)
    unlike = {field: UNLIKE_LONG if min(step, other) > LONG_NS else UNLIKE for field, other in others.items()}
    second = next((phase.wall_ns for phase in record.phases if phase.name == "second_step"), None)
    if second is not None and record.contender.mode == "eager" and step > LONG_ALONE_NS:
        others["second_step"], unlike["second_step"] = second, UNLIKE
    mean, warmup = timing.warmup.wall_ns / timing.warmup.blocks / 1e6, record.protocol.warmup_block_ms
    if timing.warmup.steps_per_block > 1 and mean > UNLIKE_WARM_UP * warmup and record.case.task != "load":
        yield warn(
            "timing.warmup.steps_per_block",
            f"{timing.warmup.steps_per_block} steps in {mean:.0f} ms; below {warmup / 2:g} ms a block gets more",
            LOOK,
        )
    walls = [block.wall_ns for block in timing.blocks]
    if sum(walls) / len(walls) > UNLIKE_MEAN * median(walls):
        yield warn(
            "timing.blocks",
            f"their mean is {sum(walls) / len(walls) / median(walls):.1f} times their median",
            LOOK,
        )
    for field, other in others.items():
        if not other / unlike[field] <= step <= other * unlike[field]:
            words = f"a step of {step / 1e6:,.4f} ms, in {field} one of {other / 1e6:,.4f} ms"
            yield warn("timing.blocks", words, LOOK)


def _latency(record: Record, timing: Timing, wall: dict[str, int]) -> Iterator[Doubt]:
    latency, step = timing.latency, step_ns(record)
    if latency is None or step is None:
        return
    tail = latency.p99_ns if latency.p99_ns is not None else latency.p95_ns
    if not latency.p50_ns <= latency.p90_ns <= latency.p95_ns <= tail:
        yield refuse("timing.latency", "its percentiles are not in order")
    if latency.steps != record.protocol.latency_steps:
        yield refuse(
            "timing.latency.steps", f"{latency.steps}, the protocol asks for {record.protocol.latency_steps}"
        )
    # half of the steps took the median or longer
    if latency.p50_ns * (latency.steps // 2) > wall.get("latencies", float("inf")):
        yield refuse("timing.latency", "half of its steps are longer than its phase")
    if latency.p50_ns > UNLIKE_LONG * step and step > LONG_NS:
        words = f"{latency.p50_ns / step:.1f} times a step in a block"
        yield warn("timing.latency.p50_ns", words, LOOK)
    if latency.p50_ns < step / UNLIKE:
        words = f"{latency.p50_ns / step:.3f} of the time of a step in a block"
        yield warn("timing.latency.p50_ns", words, LOOK)


def _window(record: Record, walls: int, cpus: int, phase: int) -> Iterator[Doubt]:
    """The sampler, a process of its own, saw the same window: all blocks, and no more than their phase."""
    seen = record.telemetry
    if seen is None or seen.reason is not None:
        return
    if not walls - SLACK_NS <= seen.window_ns <= phase + SLACK_NS:
        yield refuse(
            "telemetry.window_ns", f"{_s(seen.window_ns)}, the blocks took {_s(walls)} of {_s(phase)}"
        )
    expected = seen.hz * seen.window_ns / 1e9
    if not TICKS_SHARE * expected - 5 <= seen.ticks + seen.missed_ticks + seen.dropped_ticks <= expected + 5:
        yield refuse("telemetry.ticks", f"{seen.ticks} in {_s(seen.window_ns)} at {seen.hz:g} Hz")
    used = seen.metrics.get("cpu_time")
    between = max(0, seen.window_ns - walls) * record.case.cores
    # a loader's workers are in the blocks' CPU time, and not in what the sampler saw of the process; of several
    # processes that share the work the blocks' is the first one's
    processes = (record.settings.threads.get("processes") or 1) if record.settings else 1
    most = CPU_MORE * cpus * processes + between + SLACK_NS
    if used is not None and used.delta is not None and used.delta > most:
        yield refuse("telemetry.metrics.cpu_time", f"{_s(used.delta)}, the blocks used {_s(cpus)}")


def _s(ns: float) -> str:
    return f"{ns / 1e9:,.3f} s"
