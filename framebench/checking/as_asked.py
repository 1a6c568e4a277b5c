"""As asked: warm-up, blocks, latencies and what is beside them end where the protocol's rules end them.

``harness/protocol.py`` has the rules; what 586 committed trials say keeps each of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from framebench.checking.doubt import LOOK, Doubt, refuse, warn
from framebench.checking.known import Known
from harness.record import Protocol, Record, Timing, WarmUp

CLOCK_GRAIN = 0.99
# A warm-up block below half its length doubles the steps of the next one: seldom below 0.56 on average.
SHORTEST, FINDING_ITS_LENGTH = 0.25, 20
LEAST_SHARE = 0.5  # of a time of blocks, what the blocks themselves fill
# Steps that became faster or slower after the size of a block was found: down to 0.72 of its least, in 586 trials.
SMALLER, LARGER = 0.5, 2.2


def doubts(record: Record, known: Known) -> Iterator[Doubt]:
    """Whether a timed trial did what its protocol asks for, for as long."""
    timing, protocol = record.timing, record.protocol
    if timing is None or not timing.blocks or record.kind != "timing" or record.outcome.status != "ok":
        return
    yield from _warm_up(timing.warmup, protocol)
    # the clock of the window also counts what lies between blocks
    window = next((phase.wall_ns for phase in record.phases if phase.name == "blocks"), 0) / 1e9
    yield from _blocks([block.wall_ns for block in timing.blocks], window, protocol)
    yield from _size(timing, protocol)
    yield from _beside(record, timing, protocol)


def _warm_up(warmup: WarmUp, protocol: Protocol) -> Iterator[Doubt]:
    seconds, window = warmup.wall_ns / 1e9, protocol.warmup_window
    if seconds < min(protocol.warmup_min_s, protocol.warmup_max_s) * CLOCK_GRAIN:
        yield refuse("timing.warmup.wall_ns", f"{seconds:.2f} s, the least is {protocol.warmup_min_s:g} s")
    least = 2 * window + (protocol.warmup_agreements - 1) * max(1, window // 2)
    if warmup.steady and warmup.blocks < least:
        yield refuse(
            "timing.warmup.steady",
            f"after {warmup.blocks} blocks; {protocol.warmup_agreements} agreement(s) of two windows of {window}"
            f" take at least {least}",
        )
    if warmup.steady != ("agreement(s) of two windows" in warmup.reason):
        yield refuse(
            "timing.warmup.reason", f"{warmup.reason[:80]!r}, steady is {str(warmup.steady).lower()}"
        )
    many, long = warmup.blocks >= protocol.warmup_max_blocks, seconds >= protocol.warmup_max_s * CLOCK_GRAIN
    if not warmup.steady and not many and not long:
        yield refuse(
            "timing.warmup.blocks",
            f"gave up after {warmup.blocks} in {seconds:.2f} s, before {protocol.warmup_max_blocks} blocks"
            f" and before {protocol.warmup_max_s:g} s",
        )
    expected = max(0, warmup.blocks - FINDING_ITS_LENGTH) * protocol.warmup_block_ms / 1e3
    if seconds < SHORTEST * expected:
        yield refuse(
            "timing.warmup.blocks",
            f"{warmup.blocks} in {seconds:.2f} s, one takes about {protocol.warmup_block_ms:g} ms",
        )
    # a last block that was held up is no lie
    if warmup.blocks > protocol.warmup_max_blocks and seconds > 2 * protocol.warmup_min_s + 1:
        yield warn(
            "timing.warmup.blocks",
            f"{warmup.blocks} in {seconds:.2f} s, the protocol ends at {protocol.warmup_max_blocks}",
            LOOK,
        )


def _blocks(walls: list[int], window: float, protocol: Protocol) -> Iterator[Doubt]:
    """As many, for as long, and none after that."""
    many, long = len(walls) >= protocol.measure_blocks, window >= protocol.measure_s * CLOCK_GRAIN
    if window < protocol.measure_max_s * CLOCK_GRAIN and not (many and long):
        yield refuse(
            "timing.blocks",
            f"{len(walls)} in {window:.2f} s, the protocol asks for {protocol.measure_blocks} and "
            f"{protocol.measure_s:g} s",
        )
    before = sum(walls[:-1]) / 1e9
    enough = len(walls) > protocol.measure_blocks and before >= protocol.measure_s
    if enough or before >= protocol.measure_max_s:
        yield refuse(
            "timing.blocks",
            f"{len(walls)}, the protocol ended before the last of them, after {before:.2f} s of blocks",
        )


def _size(timing: Timing, protocol: Protocol) -> Iterator[Doubt]:
    """Of a block: long enough, and no longer than allowed where it has more than one step."""
    block = median(block.wall_ns for block in timing.blocks) / 1e6
    least = min(protocol.block_ms, protocol.block_max_ms)
    if block < SMALLER * least:
        yield warn("timing.blocks", f"blocks of {block:.1f} ms, the protocol asks for {least:g} ms", LOOK)
    if block > LARGER * protocol.block_max_ms and timing.blocks[0].steps > 1:
        yield warn(
            "timing.blocks",
            f"blocks of {block:.1f} ms, of more than one step at most {protocol.block_max_ms:g} ms",
            LOOK,
        )
    if timing.barrier_ns > block * 1e6:
        yield refuse("timing.barrier_ns", f"{timing.barrier_ns} ns, longer than a block of {block:.1f} ms")


def _beside(record: Record, timing: Timing, protocol: Protocol) -> Iterator[Doubt]:
    """Observer, calibration, latencies and learning: where they are asked for, and nowhere else."""
    observer = timing.observer
    if (observer is None) != (protocol.observer_blocks == 0):
        yield refuse("timing.observer", f"the protocol asks for {protocol.observer_blocks} blocks of it")
    elif observer is not None:
        for field, blocks in (("on", observer.on), ("off", observer.off)):
            # garbage is collected between blocks, outside their clock
            long = sum(block.wall_ns for block in blocks) >= protocol.measure_max_s * 1e9 * LEAST_SHARE
            if len(blocks) != protocol.observer_blocks and not long:
                yield refuse(
                    f"timing.observer.{field}",
                    f"{len(blocks)} blocks, the protocol asks for {protocol.observer_blocks}",
                )
    if (record.calibration is None) != (protocol.calibration_ms == 0):
        yield refuse("calibration", f"the protocol asks for {protocol.calibration_ms:g} ms of it")
    latencies = protocol.latency_steps if record.case.task == "infer" else 0
    if (timing.latency is None) != (latencies == 0):
        yield refuse("timing.latency", f"the protocol asks for {latencies} steps of it")
    epochs = protocol.learning_epochs if record.case.task == "train" else 0
    if record.learning is not None and len(record.learning.curve) != epochs:
        yield refuse("learning.curve", f"{len(record.learning.curve)} epochs, the protocol asks for {epochs}")
