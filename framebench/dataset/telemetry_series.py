"""Telemetry in the course of one timed window, from a trial's sidecar: levels as they were read, counters as rates.

``harness.telemetry.recorder`` writes it: at most 240 points, null where a tick did not read a metric.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Any

import msgspec
from msgspec import Meta

Value = Annotated[float, Meta(ge=-1e18, le=1e18)]
Points = list[tuple[float, float]]
"""Seconds since the window began, and a value."""

DRAWN = 24  # points of one line in a drawing that nobody can zoom


class Source(msgspec.Struct, frozen=True):
    """What was read of one GPU, or of the process and its machine, at the window's ticks."""

    metrics: dict[str, list[Value | None]]


class Sampled(Source, frozen=True, kw_only=True):
    """The process and its machine, and each GPU; ``t_ns`` since the window began."""

    t_ns: list[Annotated[int, Meta(ge=0, le=10**15)]]
    gpus: list[Source] = []


def sampled(sidecar: dict[str, Any]) -> Sampled | None:
    """What a sidecar holds of telemetry; null where that is nothing, or nothing that can be read."""
    try:
        return msgspec.convert(sidecar.get("telemetry"), Sampled)
    except msgspec.ValidationError:
        return None


def course(t_ns: Sequence[int], values: Sequence[float | None], *, counter: bool) -> Points:
    """A metric over time; of a counter, what it gained per nanosecond since it was last read."""
    read = [(at, value) for at, value in zip(t_ns, values, strict=False) if value is not None]
    if not counter:
        return [(at / 1e9, value) for at, value in read]
    return [
        (now / 1e9, (value - before) / (now - then))
        for (then, before), (now, value) in pairwise(read)
        if now > then
    ]


def thinned(points: Points) -> Points:
    """At most ``DRAWN`` points, each the mean of neighbours."""
    together = max(1, -(-len(points) // DRAWN))
    return [_mean(points[start : start + together]) for start in range(0, len(points), together)]


def _mean(points: Points) -> tuple[float, float]:
    count = len(points)
    return sum(x for x, _y in points) / count, sum(y for _x, y in points) / count
