"""What a source of telemetry is, and what it says about each of its metrics."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple, Protocol

Support = Literal["ok", "not supported", "no permission", "function not found", "failed"]


class Capability(NamedTuple):
    """Whether a metric can be read here, how it is to be aggregated, and which values are possible at all.

    ``gauge``: a level; mean, minimum and maximum over the samples. ``counter``: only grows; its value is
    the difference between the window's two edges. ``peak``: a high-water mark, read at the window's end.
    ``window``: the source itself averages between the edges.
    ``low`` and ``high`` bound a gauge's readings, and what a counter can gain in a second: a value outside is
    no reading. A gauge that looks back in time is used from ``settle_s`` after the window's start on.
    """

    kind: Literal["gauge", "counter", "peak", "window"]
    unit: str
    support: Support = "ok"
    reason: str | None = None
    low: float | None = None
    high: float | None = None
    settle_s: float = 0.0

    def possible(self, value: float, seconds: float = 1.0) -> bool:
        """Whether a gauge can read ``value``, or a counter gain it in ``seconds``."""
        if not math.isfinite(value):
            return False
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high * seconds)


class Source(Protocol):
    """One place where metrics come from."""

    def probe(self) -> dict[str, Capability]:
        """Every metric this source knows, asked once; ``tick`` and ``edge`` read only what is ``ok``."""

    def tick(self) -> dict[str, float]:
        """Cheap readings, several times a second."""

    def edge(self) -> dict[str, float]:
        """All counters, at the beginning and the end of a window."""
