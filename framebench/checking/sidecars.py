"""Beside the record: long lists whose percentiles and counts the record holds, calculated again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from framebench.checking.doubt import Doubt, refuse
from framebench.checking.known import Known
from framebench.records.store import series
from framebench.records.zipped import UNZIPPED_BYTES
from harness.record import Record


def doubts(record: Record, known: Known) -> Iterator[Doubt]:
    """Latencies and the gate's comparisons, one by one, where there are such lists."""
    if record.sidecar is None:
        return
    held = series(known.paths[record.trial_id])
    if not held:
        yield refuse(
            "sidecar", f"holds nothing: no JSON in one whole gzip of at most {UNZIPPED_BYTES >> 20} MiB"
        )
    yield from _latencies(record, held.get("latencies_ns"))
    yield from _gate(record, held.get("gate"))


def _latencies(record: Record, times: Any) -> Iterator[Doubt]:
    latency = record.timing.latency if record.timing else None
    if latency is None or not isinstance(times, list):
        return
    if not times or not all(isinstance(time, int) and 0 < time < 1 << 62 for time in times):
        yield refuse("sidecar.latencies_ns", "is no list of times")
        return
    if len(times) != latency.steps:
        yield refuse("timing.latency.steps", f"{latency.steps}, the sidecar has {len(times)}")
    expected = [int(value) for value in np.percentile(times, [50, 90, 95, 99])]
    told = [latency.p50_ns, latency.p90_ns, latency.p95_ns, latency.p99_ns]
    for name, said, one in zip(("p50", "p90", "p95", "p99"), told, expected, strict=True):
        if said is not None and abs(said - one) > 1:
            yield refuse(f"timing.latency.{name}_ns", f"{said}, the times in the sidecar say {one}")


def _gate(record: Record, parts: Any) -> Iterator[Doubt]:
    parity = record.parity
    if parity is None or not parity.parts or not isinstance(parts, list):
        return
    try:
        listed = [
            (part["part"], len(part["diffs"]), sum(not one["passed"] for one in part["diffs"]))
            for part in parts
        ]
    except (TypeError, KeyError):
        yield refuse("sidecar.gate", "is no list of the gate's comparisons")
        return
    told = [(part.name, part.checks, part.failed) for part in parity.parts]
    if listed != told:
        differ = next((one for one in told if one not in listed), told[-1])
        name, checks, failed = differ
        yield refuse(
            f"parity.parts.{name}",
            f"{failed} of {checks} comparisons failed, the sidecar's list says otherwise",
        )
