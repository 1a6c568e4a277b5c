"""What follows from other figures of the same record, calculated again."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from statistics import median

from framebench.checking.doubt import Doubt, refuse
from framebench.checking.known import Known
from harness import flags, protocol, steadiness
from harness.record import Learning, Record

CODES = {code for name, code in vars(flags).items() if name.isupper() and isinstance(code, str)}
FIGURES_OF_MEMORY = ("allocator_peak", "device_delta", "host_rss_peak", "host_rss_after_import")
LEAST_PROCESS = 8 << 20  # bytes
# What no figure of the record tells: repetitions of a calibration, kinds of cores, the battery.
UNSEEN = {flags.CALL_OVERHEAD, flags.UNEQUAL_CORES, flags.ON_BATTERY}


def doubts(record: Record, known: Known) -> Iterator[Doubt]:
    """Overhead's share, drift, learning, memory, gauges, and the flags that the figures deserve."""
    yield from _overhead(record)
    yield from _flags(record)
    if (drift := record.calibration) is not None:
        changes = [
            drift.matmul_after_ns / drift.matmul_before_ns - 1.0,
            drift.copy_after_ns / drift.copy_before_ns - 1.0,
        ]
        if not math.isclose(drift.drift, max(changes, key=abs), abs_tol=1e-4):
            yield refuse(
                "calibration.drift", f"{drift.drift:+.4f}, its times say {max(changes, key=abs):+.4f}"
            )
    if record.learning is not None:
        yield from _learning(record.learning, record)
    if record.memory is not None:
        for field in FIGURES_OF_MEMORY:
            bytes_ = getattr(record.memory, field)
            if bytes_ is None and not record.memory.reasons.get(field):
                yield refuse(f"memory.{field}", "null without a reason")
            if bytes_ is not None and field.startswith("host") and bytes_ < LEAST_PROCESS:
                yield refuse(f"memory.{field}", f"{bytes_} bytes, Python alone takes more")
        peak, before = record.memory.host_rss_peak, record.memory.host_rss_after_import
        if peak is not None and before is not None and before > peak:
            yield refuse("memory.host_rss_peak", f"{peak} bytes, after import there were {before}")
        ram = record.hardware.ram_bytes if record.hardware else None
        if peak is not None and ram is not None and peak > ram:
            yield refuse("memory.host_rss_peak", f"{peak} bytes on a machine with {ram}")
    for gpu in record.telemetry.gpus if record.telemetry else []:
        joules = {"total_j": gpu.energy.total_j, "counter_j": gpu.energy.counter_j}
        for field, energy in joules.items():
            if energy is not None and energy < 0:
                yield refuse(f"telemetry.gpus.energy.{field}", f"{energy:g} J")
    for name, metric in (record.telemetry.metrics if record.telemetry else {}).items():
        if metric.delta is not None and metric.delta < 0:
            yield refuse(f"telemetry.metrics.{name}.delta", f"{metric.delta:g}: a counter never goes back")
        gauge = [metric.minimum, metric.mean, metric.maximum]
        told = [value for value in gauge if value is not None]
        if any(b < a and not math.isclose(a, b, rel_tol=1e-6) for a, b in pairwise(told)):
            yield refuse(f"telemetry.metrics.{name}", "minimum, mean and maximum are not in order")


def _overhead(record: Record) -> Iterator[Doubt]:
    timing = record.timing
    if timing is None or not timing.blocks:
        return
    overhead, share = timing.call_overhead_ns, timing.call_overhead_share
    if (overhead is None) != (share is None):
        yield refuse("timing.call_overhead_share", "the overhead of a call is known or it is not")
    elif overhead is not None and share is not None:
        expected = overhead / median(block.wall_ns for block in timing.blocks)
        if not math.isclose(share, expected, rel_tol=1e-6, abs_tol=1e-12):
            yield refuse("timing.call_overhead_share", f"{share:.6g}, its times say {expected:.6g}")


def _flags(record: Record) -> Iterator[Doubt]:
    """Flags that keep a result from being ranked cannot be left out, nor can others be added. The first version had
    other rules of what is steady."""
    timing, hardware, telemetry = record.timing, record.hardware, record.telemetry
    if unknown := set(record.flags) - CODES:
        yield refuse("flags", f"{', '.join(sorted(unknown))[:100]} is none that a trial gives")
    if timing is None or hardware is None or not timing.blocks or record.outcome.status != "ok":
        return
    deserved = set(flags.noise(telemetry, hardware.cores_online or hardware.cores_allowed))
    deserved |= set(flags.emulation(hardware)) | set(flags.stand_in(hardware))
    if record.provenance.protocol_hash:
        walls = [block.wall_ns for block in timing.blocks]
        steady = steadiness.classify(walls)
        if timing.steady_class != steady:
            yield refuse("timing.steady_class", f"{timing.steady_class}, its blocks say {steady}")
        deserved |= set(flags.steadiness(timing.warmup, steady))
        deserved |= set(flags.drift(record.calibration)) | set(flags.settling(timing))
        if timing.barrier_ns > protocol.BARRIER_SHARE * median(walls):
            deserved.add(flags.BARRIER_OVERHEAD)
        if telemetry is not None:
            deserved |= set(flags.gpu(telemetry))
            deserved |= {flags.NO_TELEMETRY} if telemetry.reason is not None else set()
            deserved |= {flags.SLOW_SAMPLER} if telemetry.hz < flags.FULL_HZ else set()
        looks = [look for look in (record.shape_before, record.shape_after) if look is not None]
        deserved |= {flags.SHAPE_UNCHECKED} if any(look.skipped for look in looks) else set()
        if invented := set(record.flags) - deserved - UNSEEN:
            yield refuse("flags", f"its figures do not deserve {', '.join(sorted(invented))}")
    if missing := deserved - set(record.flags):
        yield refuse("flags", f"its figures deserve {', '.join(sorted(missing))}, which is not there")


def _learning(learning: Learning, record: Record) -> Iterator[Doubt]:
    curve = learning.curve
    if [point.epoch for point in curve] != [*range(1, len(curve) + 1)]:
        yield refuse("learning.curve", "its epochs are not counted from 1")
    if learning.final_score != curve[-1].score:
        yield refuse("learning.final_score", f"{learning.final_score}, the curve ends at {curve[-1].score}")
    scores = [point.score for point in curve]
    reached = [
        epoch
        for epoch, score in enumerate(scores, 1)
        if (score >= learning.target if learning.higher else score <= learning.target)
    ]
    first = reached[0] if reached else None
    if learning.epochs_to_target != first:
        yield refuse("learning.epochs_to_target", f"{learning.epochs_to_target}, the curve says {first}")
    walls = sum(point.train_wall_ns for point in curve[:first]) if first else None
    if learning.wall_ns_to_target != walls:
        yield refuse("learning.wall_ns_to_target", f"{learning.wall_ns_to_target}, the curve says {walls}")
    spent = sum(point.train_wall_ns for point in curve)
    phase = next((phase.wall_ns for phase in record.phases if phase.name == "learning"), None)
    if phase is None or spent > phase:
        yield refuse("learning.curve", "it trained longer than the phase of learning took")
