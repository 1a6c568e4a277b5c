"""What a source of telemetry is, and what it says about each of its metrics."""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol

Support = Literal["ok", "not supported", "no permission", "function not found", "failed"]


class Capability(NamedTuple):
    """Whether a metric can be read here, and how it is to be aggregated.

    ``gauge``: a level; mean, minimum and maximum over the samples. ``counter``: only grows; its value is
    the difference between the window's two edges. ``peak``: a high-water mark, read at the window's end.
    """

    kind: Literal["gauge", "counter", "peak"]
    unit: str
    support: Support = "ok"
    reason: str | None = None


class Source(Protocol):
    """One place where metrics come from."""

    def probe(self) -> dict[str, Capability]:
        """Every metric this source knows, asked once; ``tick`` and ``edge`` read only what is ``ok``."""

    def tick(self) -> dict[str, float]:
        """Cheap readings, several times a second."""

    def edge(self) -> dict[str, float]:
        """All counters, at the beginning and the end of a window."""
