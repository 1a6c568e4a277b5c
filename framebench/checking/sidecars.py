"""Beside the record: long lists whose percentiles and counts the record holds, calculated again."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import numpy as np

from framebench.checking import verdicts
from framebench.checking.doubt import Doubt, refuse
from framebench.checking.known import Known
from framebench.records.nearness import nearness
from framebench.records.store import series
from framebench.records.zipped import UNZIPPED_BYTES
from harness.record import ParityDiff, Record

# Parts of the gate whose tolerances were measured, and where the reference keeps them; three digits are in a record.
REFERENCES = {"precision": "entries", "shape": "shapes"}
ROUNDED = 5e-3
LEAST_SHARE = 0.5  # of their phase, what latencies fill: 0.993 and more in 127 trials
COUNTERS = ("cpu_time", "host_busy", "steal")  # ns, which the sidecar has samples of
EDGE_NS = 20_000_000  # two ticks of the kernel's clock


def doubts(record: Record, known: Known) -> Iterator[Doubt]:
    """Latencies and the gate's comparisons, one by one, where there are such lists."""
    gate = record.parity is not None and record.parity.parts and record.provenance.protocol_hash
    timing, seen = record.timing, record.telemetry
    # in a window shorter than a tick there is nothing to see
    watched = timing is not None and seen is not None and seen.reason is None and seen.ticks > 0
    if record.sidecar is None:
        if gate or (watched and record.provenance.protocol_hash) or (timing is not None and timing.latency):
            yield refuse("sidecar", "is not there, and what it lists cannot be calculated again")
        return
    held = series(known.paths[record.trial_id])
    if not held:
        yield refuse(
            "sidecar", f"holds nothing: no JSON in one whole gzip of at most {UNZIPPED_BYTES >> 20} MiB"
        )
    yield from _latencies(record, held.get("latencies_ns"))
    yield from _gate(record, held.get("gate"), known)
    if watched and record.outcome.status == "ok":
        yield from _samples(record, held.get("telemetry"))


def _latencies(record: Record, times: Any) -> Iterator[Doubt]:
    latency = record.timing.latency if record.timing else None
    if latency is None:
        return
    if (
        not isinstance(times, list)
        or not times
        or not all(type(time) is int and 0 < time < 1 << 53 for time in times)
    ):
        yield refuse("sidecar.latencies_ns", "is no list of times")
        return
    if len(times) != latency.steps:
        yield refuse("timing.latency.steps", f"{latency.steps}, the sidecar has {len(times)}")
    expected = [int(value) for value in np.percentile(times, [50, 90, 95, 99])]
    told = [latency.p50_ns, latency.p90_ns, latency.p95_ns, latency.p99_ns]
    for name, said, one in zip(("p50", "p90", "p95", "p99"), told, expected, strict=True):
        if said is not None and abs(said - one) > 1:
            yield refuse(f"timing.latency.{name}_ns", f"{said}, the times in the sidecar say {one}")
    phase = next((phase.wall_ns for phase in record.phases if phase.name == "latencies"), 0)
    if not LEAST_SHARE * phase <= sum(times) <= phase:
        yield refuse(
            "sidecar.latencies_ns",
            f"{sum(times) / 1e9:,.3f} s of latencies in a phase of {phase / 1e9:,.3f} s",
        )


class _Samples(msgspec.Struct):
    """When the sampler looked, from the window's start, and what each counter stood at then."""

    t_ns: list[int]
    metrics: dict[str, list[float | None]]


def _samples(record: Record, told: Any) -> Iterator[Doubt]:
    """Counters over the window are those of its samples, and what the edges may add."""
    seen, hardware = record.telemetry, record.hardware
    assert seen is not None
    try:
        samples = msgspec.convert(told, _Samples)
    except msgspec.ValidationError:
        yield refuse("sidecar.telemetry", "is no list of samples")
        return
    times = samples.t_ns
    if not times or times != sorted(times) or times[-1] > seen.window_ns + EDGE_NS:
        yield refuse("sidecar.telemetry.t_ns", "are no times of one window in their order")
        return
    cores = (hardware.cores_online or hardware.cores_allowed) if hardware else record.case.cores
    most = cores * (seen.window_ns - (times[-1] - times[0]) + EDGE_NS)
    for name in COUNTERS:
        metric, held = (
            seen.metrics.get(name),
            [one for one in samples.metrics.get(name, []) if one is not None],
        )
        if metric is None or metric.delta is None or not held:
            continue
        inside = held[-1] - held[0]
        if not inside - EDGE_NS <= metric.delta <= inside + most:
            yield refuse(
                f"telemetry.metrics.{name}.delta",
                f"{metric.delta / 1e9:,.3f} s, its samples in the sidecar say {inside / 1e9:,.3f} s",
            )


class _Part(msgspec.Struct):
    """One part of the gate with all of its comparisons."""

    part: str
    diffs: list[ParityDiff]


def _gate(record: Record, listed: Any, known: Known) -> Iterator[Doubt]:
    parity = record.parity
    if parity is None or not parity.parts:
        return
    try:
        parts = msgspec.convert(listed, list[_Part])
    except msgspec.ValidationError:
        yield refuse("sidecar.gate", "is no list of the gate's comparisons")
        return
    if [part.part for part in parts] != [part.name for part in parity.parts]:
        yield refuse("parity.parts", "the sidecar lists others")
        return
    for part, told in zip(parts, parity.parts, strict=True):
        field, failed = f"parity.parts.{told.name}", sum(not one.passed for one in part.diffs)
        if (len(part.diffs), failed) != (told.checks, told.failed):
            yield refuse(
                field,
                f"{told.failed} of {told.checks} comparisons failed, in the sidecar {failed} of {len(part.diffs)}",
            )
        elif max(map(nearness, part.diffs), default=None) != (nearness(told.worst) if told.worst else None):
            yield refuse(f"{field}.worst", "the sidecar has one that was nearer to its tolerance")
        for one in part.diffs:
            yield from verdicts.compared(f"sidecar.gate.{part.part}", one, record, part.part)
        yield from _allowed(record, part, known)


def _allowed(record: Record, part: _Part, known: Known) -> Iterator[Doubt]:
    """All that one reference in the record's commit has is compared, with its tolerances."""
    commit, kept = record.provenance.git_commit, REFERENCES.get(part.part)
    if commit is None or kept is None or not known.history.known(commit):
        return
    wanted = kept, record.case.task, record.case.precision
    references = [one for one in known.history.references(commit, record.case.workload) if one[:3] == wanted]
    told = {one.what: one.tolerance for one in part.diffs}
    field, whose = f"sidecar.gate.{part.part}", f"the reference of commit {commit[:8]}"
    whole = [one.tolerances for one in references if one.tolerances.keys() <= told.keys()]
    if references and not whole:
        lacking = min((one.tolerances.keys() - told.keys() for one in references), key=len)
        yield refuse(field, f"{sorted(lacking)[0]} is not compared, and {whose} has it")
    elif references and all(_others(one, told) for one in whole):
        nearest = min((_others(one, told) for one in whole), key=len)
        what, allowed = next(iter(nearest.items()))
        yield refuse(field, f"{what}: a tolerance of {told[what]:g}, {whose} has {allowed:g}")


def _others(allowed: Mapping[str, float], told: Mapping[str, float]) -> dict[str, float]:
    """What is allowed otherwise than told."""
    return {
        what: tolerance
        for what, tolerance in allowed.items()
        if not math.isclose(told[what], tolerance, rel_tol=ROUNDED)
    }
