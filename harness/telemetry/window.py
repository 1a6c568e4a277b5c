"""One window of time as the sampler saw it, and each metric's figures over it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from harness.record import Metric
from harness.telemetry.source import Capability

MIN_SAMPLES = 8  # fewer make no mean
SERIES_POINTS = 240
_EDGES_APART_S = 0.2  # by how much the two edges may lie outside the window, together

Sample = tuple[int, int, list[dict[str, float | None]]]
Readings = list[tuple[int, float]]


@dataclass
class Window:
    """From ``start_ns`` to ``end_ns`` (CLOCK_MONOTONIC); source 0 is the process, 1 and on are the GPUs.

    ``edges`` are the sampler's answers at the two ends, outside the window; ``samples`` are (ns before, ns
    after, values of each source), those inside it in the order of time.
    """

    start_ns: int = 0
    end_ns: int = 0
    edges: list[dict[str, Any]] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    missed: int = 0
    dropped_ticks: int = 0
    sampler_cpu_ns: int | None = None
    reason: str | None = None

    @property
    def seconds(self) -> float:
        return (self.end_ns - self.start_ns) / 1e9

    def keep(self, samples: Sequence[Sample]) -> None:
        """Take the samples that lie inside; one in which time runs backwards is dropped whole and counted."""
        latest = 0
        for before, after, values in samples:
            if not latest <= before <= after:
                self.dropped_ticks += 1
                continue
            latest = after
            if self.start_ns <= before and after <= self.end_ns:
                self.samples.append((before, after, values))

    def note(self, source: int, name: str) -> str | None:
        """What the source said about a metric in this window, above all that it went away."""
        if self.edges and (lost := self.edges[-1]["lost"][source]):
            return f"the GPU was lost: {lost}"
        words = [edge["notes"][source].get(name) for edge in self.edges]
        return next((word for word in reversed(words) if word), None)

    def readings(self, source: int, name: str, how: Capability) -> tuple[Readings, int]:
        """``([(ns, value), ...], dropped)`` of a gauge once it has settled; impossible and failed ones dropped."""
        start = self.start_ns + how.settle_s * 1e9
        found: Readings = []
        dropped = 0
        for before, after, values in self.samples:
            if before < start or name not in values[source]:
                continue
            value = values[source][name]
            if value is None or not how.possible(value):
                dropped += 1
            else:
                found.append(((before + after) // 2, value))
        return found, dropped

    def metric(self, source: int, name: str, how: Capability) -> Metric:
        """The figures of one metric, or the reason why there are none."""
        if how.support != "ok":
            return Metric(support=how.support, reason=how.reason, unit=how.unit)
        if not self.edges:
            return Metric(support="failed", reason=self.reason or "no window was measured", unit=how.unit)
        if how.kind == "gauge":
            return self._gauge(source, name, how)
        if how.kind == "counter":
            return self._counter(source, name, how)
        value = self.edges[-1]["values"][source].get(name)
        if value is None:
            reason = self.note(source, name) or "not readable at the window's end"
            return Metric(support="failed", reason=reason, unit=how.unit)
        if not how.possible(value):
            return Metric(reason="an impossible value", unit=how.unit, dropped=1)
        if how.kind == "peak":
            return Metric(unit=how.unit, maximum=value)
        return Metric(unit=how.unit, mean=_short(value))

    def _gauge(self, source: int, name: str, how: Capability) -> Metric:
        found, dropped = self.readings(source, name, how)
        if len(found) < MIN_SAMPLES:
            few = f"{len(found)} samples in the window, a mean needs {MIN_SAMPLES}"
            if note := self.note(source, name):
                few += f" ({note})"
            return Metric(reason=few, unit=how.unit, samples=len(found), dropped=dropped)
        values = [value for _, value in found]
        return Metric(
            unit=how.unit,
            samples=len(found),
            dropped=dropped,
            mean=min(max(_short(mean_over_time(found)), min(values)), max(values)),
            minimum=min(values),
            maximum=max(values),
        )

    def _counter(self, source: int, name: str, how: Capability) -> Metric:
        values = [edge["values"][source].get(name) for edge in self.edges]
        note = self.note(source, name)
        if None in values:
            reason = note or "not readable at both edges"
            return Metric(support="failed", reason=reason, unit=how.unit)
        delta = values[1] - values[0]
        if delta < 0:
            return Metric(support="failed", reason="the counter went backwards", unit=how.unit)
        if not how.possible(delta, self.seconds + _EDGES_APART_S):
            return Metric(reason="the counter grew faster than is possible", unit=how.unit, dropped=1)
        return Metric(reason=note, unit=how.unit, delta=delta)

    def series(self, source: int) -> dict[str, list[float | None]]:
        """Each metric over time at ``times()``; null where a tick did not read it."""
        kept = self._kept()
        names = sorted({name for _, _, values in kept for name in values[source]})
        return {name: [values[source].get(name) for _, _, values in kept] for name in names}

    def times(self) -> list[int]:
        """ns since the window began, at most 240 points."""
        return [before - self.start_ns for before, _, _ in self._kept()]

    def _kept(self) -> list[Sample]:
        return self.samples[:: -(-len(self.samples) // SERIES_POINTS) or 1]


def mean_over_time(readings: Readings) -> float:
    """Mean weighted by time (trapezoid rule), so that missed ticks do not count as if nothing had been there."""
    span = readings[-1][0] - readings[0][0]
    if span <= 0:
        return sum(value for _, value in readings) / len(readings)
    pairs = pairwise(readings)
    return sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in pairs) / span


def _short(value: float) -> float:
    """Five digits: more than any of these sensors has, and a third of a float's length in JSON."""
    return float(f"{value:.5g}")
