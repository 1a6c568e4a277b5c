"""Which files there are below some paths: a folder at a time, each looked at once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from framebench.errors import UserError

Entry = os.DirEntry[str] | Path


class Folder(NamedTuple):
    """A folder and the files in it by name, sorted. ``below``: the given path that it was found at or below."""

    path: Path
    files: Mapping[str, Entry]
    below: Path

    def has(self, path: Path) -> bool:
        """Whether a file that would lie in it is there."""
        return path.name in self.files or path.exists()


def folders(paths: Iterable[Path]) -> Iterator[Folder]:
    """Every folder at and below ``paths``, those that are files with the folder that they lie in; each file once.
    ``UserError`` if a path does not exist."""
    given = sorted(set(paths))
    for path in given:
        if not path.exists():
            raise UserError(f"{path}: no such file or folder; name a record or a folder of records")
    for path in given:
        if any(other in path.parents for other in given):
            continue
        if path.is_dir():
            yield from _walk(str(path), path)
        else:
            yield Folder(path.parent, {path.name: path}, path)


def _walk(folder: str, below: Path) -> Iterator[Folder]:
    """As ``os.walk``: what cannot be listed is left out, and a link to a folder is not followed."""
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError:
        return
    inner = [entry for entry in entries if entry.is_dir()]
    files: dict[str, Entry] = {entry.name: entry for entry in entries if not entry.is_dir()}
    if files:
        yield Folder(Path(folder), files, below)
    for entry in inner:
        if not entry.is_symlink():
            yield from _walk(entry.path, below)
