"""Words: what a record says is shown on pages and in terminals, so it has to be writing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from framebench.checking.doubt import Doubt, refuse
from framebench.checking.known import Known
from harness.record import Record

OF_OTHERS = ("reason", "skipped")  # may be a framework's words, of several lines


def doubts(record: Record, known: Known) -> Iterator[Doubt]:
    """No name is empty, or has characters that are not seen; how a trial ended is in its framework's words."""
    said = msgspec.to_builtins(record)
    del said["outcome"]
    for field, text in _texts("", said):
        if field.rpartition(".")[2] in OF_OTHERS or ".reasons." in field:
            text = text.replace("\n", "").replace("\t", "")
        if not text.isprintable():
            yield refuse(field, f"{ascii(text)[:80]} has characters that nobody can see")
    for field, name in (("engine", record.engine), ("cluster_job", record.cluster_job)):
        names = [name] if isinstance(name, str) else [name.job, name.node, name.partition] if name else []
        if not all(one.strip() for one in names):
            yield refuse(field, "there, and empty")


def _texts(field: str, value: Any) -> Iterator[tuple[str, str]]:
    """Every string below a value, keys too, with its field."""
    if isinstance(value, str):
        yield field, value
    elif isinstance(value, dict):
        for key, held in value.items():
            yield f"{field} (a key)".lstrip(), key
            yield from _texts(f"{field}.{key}" if field else key, held)
    elif isinstance(value, list | tuple):
        for held in value:
            yield from _texts(field, held)
