"""Beside the record: long lists whose percentiles and counts the record holds, calculated again."""

from __future__ import annotations

import math
from collections.abc import Iterator
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


def doubts(record: Record, known: Known) -> Iterator[Doubt]:
    """Latencies and the gate's comparisons, one by one, where there are such lists."""
    gate = record.parity is not None and record.parity.parts and record.provenance.protocol_hash
    if record.sidecar is None:
        if gate or (record.timing is not None and record.timing.latency):
            yield refuse("sidecar", "is not there, and what it lists cannot be calculated again")
        return
    held = series(known.paths[record.trial_id])
    if not held:
        yield refuse(
            "sidecar", f"holds nothing: no JSON in one whole gzip of at most {UNZIPPED_BYTES >> 20} MiB"
        )
    yield from _latencies(record, held.get("latencies_ns"))
    yield from _gate(record, held.get("gate"), known)


def _latencies(record: Record, times: Any) -> Iterator[Doubt]:
    latency = record.timing.latency if record.timing else None
    if latency is None:
        return
    if (
        not isinstance(times, list)
        or not times
        or not all(isinstance(time, int) and 0 < time < 1 << 62 for time in times)
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
    """Tolerances are those of the reference in the record's commit; of what it has none of, nothing is said."""
    commit, kept = record.provenance.git_commit, REFERENCES.get(part.part)
    if commit is None or kept is None or not known.history.known(commit):
        return
    allowed = known.history.tolerances(commit, record.case.workload)
    for one in part.diffs:
        tolerances = allowed.get((kept, record.case.precision, one.what), ())
        if tolerances and not any(math.isclose(one.tolerance, told, rel_tol=ROUNDED) for told in tolerances):
            yield refuse(
                f"sidecar.gate.{part.part}",
                f"{one.what}: a tolerance of {one.tolerance:g}, the reference of commit {commit[:8]} has "
                f"{max(tolerances):g}",
            )
