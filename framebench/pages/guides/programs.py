"""The programs in ``examples/``: a folder per framework, with what they said when they were run."""

from __future__ import annotations

from pathlib import Path

import msgspec

from framebench.pages import source
from framebench.pages.source import SourceFile
from framebench.pages.words import families
from framebench.strict_toml import read_toml


class WrongShape(msgspec.Struct, forbid_unknown_fields=True):
    """What ``first_steps.py`` says when its rows are one number short; ``at`` is the line of its own that is named."""

    at: str
    words: str


class Said(msgspec.Struct, forbid_unknown_fields=True):
    """``version`` is the framework's, ``gradient`` what ``gradient.py`` prints; null where there is none."""

    version: str
    wrong_shape: WrongShape
    gradient: str | None = None


def frameworks_with(root: Path, file: str) -> list[str]:
    """The frameworks whose folder has this file, in the order of pages."""
    return [code for code in families() if (root / "examples" / code / file).is_file()]


def programs(root: Path, file: str) -> list[SourceFile]:
    """The program of this name in each framework that has one."""
    names = families()
    read = [source.read(root, f"examples/{code}/{file}", names[code]) for code in frameworks_with(root, file)]
    return [one for one in read if one is not None]


def said(root: Path, framework: str) -> Said:
    """What the framework's programs said; ``UserError`` names the file and the key that is wrong."""
    path = root / "examples" / framework / "said.toml"
    return read_toml(path, Said, "write into it what the programs beside it say")
