"""A stored record as it is held in memory: what is large stays in its file until somebody asks for it.

Blocks, phases, telemetry and the gate's comparisons are most of a record, and whoever looks at thousands of them wants
figures: those are worked out once, and come along. Everything can be asked of a kept record; what was left in the file
is read from there, and never from a file that has changed meanwhile.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec

from framebench.errors import UserError
from framebench.records.versions import decode_record
from harness.record import (
    Block,
    Canary,
    GatePart,
    ObserverEffect,
    Parity,
    ParityDiff,
    Phase,
    Record,
    Telemetry,
    Timing,
)

Value = TypeVar("Value")

FIGURES: dict[str, Callable[[Record], Any]] = {}
"""Every figure by its name, in the order in which a kept record has their values."""

LEFT = ("canaries", "phases", "shape_before", "shape_after", "telemetry")
"""Fields of a record that stay in its file."""

AT_ONCE = 64
"""Whole records that are remembered: those of one page."""


def figure(of: Callable[[Record], Value]) -> Callable[[Record], Value]:
    """Marks what is worked out of one record alone: of a kept record it is known. Values are plain: numbers, texts,
    lists of them, null."""
    position = len(FIGURES)
    FIGURES[of.__name__] = of

    @functools.wraps(of)
    def known(record: Record) -> Value:
        if isinstance(record, KeptRecord):
            value: Value = record.figures[position]
            return value
        return of(record)

    return known


def digest_of(content: bytes | memoryview) -> bytes:
    """What tells a file's content from every other."""
    return hashlib.blake2b(content, digest_size=16).digest()


class Source(NamedTuple):
    """The file of a record, and the digest of what it held."""

    path: Path
    digest: bytes


@functools.lru_cache(maxsize=AT_ONCE)
def whole(source: Source) -> Record:
    """The record with all that its file has; ``UserError`` where that is no longer what it was."""
    content = source.path.read_bytes()
    if digest_of(content) != source.digest:
        raise UserError(f"{source.path}: changed while it was being read; run the command again")
    return decode_record(content)


class KeptTiming(Timing, frozen=True, kw_only=True, gc=False):
    """Without its blocks."""

    source: Source

    @property  # type: ignore[misc]
    def blocks(self) -> list[Block]:
        timing = whole(self.source).timing
        assert timing is not None
        return timing.blocks

    @property  # type: ignore[misc]
    def observer(self) -> ObserverEffect | None:
        timing = whole(self.source).timing
        assert timing is not None
        return timing.observer


class KeptParity(Parity, frozen=True, kw_only=True, gc=False):
    """Without its comparisons."""

    source: Source

    @property  # type: ignore[misc]
    def diffs(self) -> list[ParityDiff]:
        parity = whole(self.source).parity
        assert parity is not None
        return parity.diffs

    @property  # type: ignore[misc]
    def parts(self) -> list[GatePart]:
        parity = whole(self.source).parity
        assert parity is not None
        return parity.parts


class KeptRecord(Record, frozen=True, kw_only=True, gc=False):
    """Without what ``LEFT`` names. It cannot be encoded: ``whole`` gives the record that can."""

    source: Source
    figures: list[Any]

    @property  # type: ignore[misc]
    def canaries(self) -> list[Canary]:
        return whole(self.source).canaries

    @property  # type: ignore[misc]
    def phases(self) -> list[Phase]:
        return whole(self.source).phases

    @property  # type: ignore[misc]
    def shape_before(self) -> GatePart | None:
        return whole(self.source).shape_before

    @property  # type: ignore[misc]
    def shape_after(self) -> GatePart | None:
        return whole(self.source).shape_after

    @property  # type: ignore[misc]
    def telemetry(self) -> Telemetry | None:
        return whole(self.source).telemetry


_IN_THE_FILE: Any = object()  # what no encoder takes for a value
_LEFT: dict[str, Any] = dict.fromkeys(LEFT, _IN_THE_FILE)
_OF_TIMING = [name for name in Timing.__struct_fields__ if name not in ("blocks", "observer")]
_OF_PARITY = [name for name in Parity.__struct_fields__ if name not in ("diffs", "parts")]


def kept(fields: dict[str, Any], figures: list[Any], source: Source) -> KeptRecord:
    """From the fields that are not left in the file; ``timing`` and ``parity`` as ``lean`` makes them."""
    timing: Timing | None = fields["timing"]
    parity: Parity | None = fields["parity"]
    if timing is not None:
        own = {name: getattr(timing, name) for name in _OF_TIMING}
        fields["timing"] = KeptTiming(**own, blocks=_IN_THE_FILE, observer=_IN_THE_FILE, source=source)
    if parity is not None:
        own = {name: getattr(parity, name) for name in _OF_PARITY}
        fields["parity"] = KeptParity(**own, diffs=_IN_THE_FILE, parts=_IN_THE_FILE, source=source)
    fields |= _LEFT
    return KeptRecord(**fields, source=source, figures=figures)


def lean(record: Record) -> Record:
    """The record without what stays in its file."""
    timing, parity = record.timing, record.parity
    return msgspec.structs.replace(
        record,
        canaries=[],
        phases=[],
        shape_before=None,
        shape_after=None,
        telemetry=None,
        timing=timing and msgspec.structs.replace(timing, blocks=[], observer=None),
        parity=parity and msgspec.structs.replace(parity, diffs=[], parts=[]),
    )
