"""Exceptions to the rules that records have to keep: ``waivers.toml`` beside them says what, why, and until when."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path, PurePosixPath
from typing import Annotated

import msgspec
from msgspec import Meta

from framebench.errors import quoted
from framebench.strict_toml import read_toml

WAIVERS = "waivers.toml"

Words = Annotated[str, Meta(min_length=1, max_length=1000, pattern=r"\S")]

LONGEST = timedelta(days=366)
"""From today to a waiver's last day: an exception is looked at again within a year."""
NEVER = ("file", "manifest", "signature", "waiver")
"""Rules without an exception: a file that cannot be read, or is no more what was handed in, proves nothing."""


class Waiver(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """One refusal that is let pass. ``file``: its place below the results; ``rule``: the word that stands before the
    refusal's sentence, e.g. ``timing.blocks``; ``until``: the last day (UTC)."""

    file: Words
    rule: Words
    why: Words
    by: Words
    until: date

    def __post_init__(self) -> None:
        place = PurePosixPath(self.file)
        if place.is_absolute() or ".." in place.parts:
            raise ValueError(f"file {quoted(self.file)} is not below the results; write its place there")
        if self.rule in NEVER:
            raise ValueError(f"rule {quoted(self.rule)} has no exception; mend the file, or delete it")

    def too_long(self, today: date) -> bool:
        """Whether its last day is farther away than an exception may last."""
        return self.until > today + LONGEST

    def in_force(self, today: date) -> bool:
        """Whether it lets its refusal pass on this day."""
        return today <= self.until and not self.too_long(today)


class _Waivers(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    waiver: list[Waiver] = []


def read_waivers(results: Path) -> list[Waiver]:
    """What is waived of these results: nothing where there is no such file; ``UserError`` where it is a wrong one."""
    path = results / WAIVERS
    return read_toml(path, _Waivers).waiver if path.exists() else []
