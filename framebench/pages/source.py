"""Files of the harness as the site prints them: read from the checkout, and kept whole beside the pages."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


class SourceFile(NamedTuple):
    """One file as it lies in the repository; ``href`` leads from a page of a folder to the file itself."""

    name: str
    path: str
    code: str
    href: str


def read(root: Path, path: str, name: str = "") -> SourceFile | None:
    """The file at ``path`` below the checkout, called ``name``; null if there is none."""
    file = root / path
    if not file.is_file():
        return None
    return SourceFile(name or file.name, path, file.read_text(), f"../../{kept(path)}")


def kept(path: str) -> str:
    """Where the site keeps a file of the repository, relative to its own root."""
    return f"source/{path}"


def docstring(code: str) -> str:
    """A module's docstring; empty where there is none or the code is broken."""
    try:
        return ast.get_docstring(ast.parse(code)) or ""
    except SyntaxError:
        return ""


def first_line(text: str) -> str:
    """The first line of a docstring without the name before its colon: ``mlp: a network`` is ``A network``."""
    first = text.partition("\n")[0]
    line = first.partition(": ")[2] or first
    return line[:1].upper() + line[1:]


def copies(root: Path, shown: Sequence[SourceFile]) -> dict[str, Path]:
    """What the site has to keep for these files: path in the site and the file to copy."""
    return {kept(one.path): root / one.path for one in shown}
