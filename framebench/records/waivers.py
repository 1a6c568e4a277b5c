"""Exceptions to the rules that records have to keep: ``waivers.toml`` beside them says what, why, and until when."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from framebench.strict_toml import read_toml

WAIVERS = "waivers.toml"

Words = Annotated[str, Meta(min_length=1, max_length=1000)]


class Waiver(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """One refusal that is let pass. ``file``: its place below the results; ``rule``: the word that stands before the
    refusal's sentence, e.g. ``timing.blocks``; ``until``: the last day (UTC)."""

    file: Words
    rule: Words
    why: Words
    by: Words
    until: date


class _Waivers(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    waiver: list[Waiver] = []


def read_waivers(results: Path) -> list[Waiver]:
    """What is waived of these results: nothing where there is no such file; ``UserError`` where it is a wrong one."""
    path = results / WAIVERS
    return read_toml(path, _Waivers).waiver if path.exists() else []
