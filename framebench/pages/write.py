"""The pages on disk: only what changed is written, and what no page needs any more is removed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

Content = str | bytes | Path | Callable[[], str]
"""Text, bytes, a file to copy, or what makes the text when its turn comes: ten thousand pages are never held at
once."""


def write_tree(target: Path, files: Mapping[str, Content]) -> int:
    """Make ``target`` hold exactly ``files`` (relative path → content); the number written.

    Unchanged files keep their time, so that a rebuild is incremental for whoever watches the folder.
    """
    target.mkdir(parents=True, exist_ok=True)
    present = _sizes(target)
    for folder in {(target / name).parent for name in files.keys() - present.keys()}:
        folder.mkdir(parents=True, exist_ok=True)
    written = 0
    for name, content in files.items():
        path = target / name
        if callable(content):
            content = content()
        if isinstance(content, Path):
            changed = _copied(content, path, present.get(name))
        else:
            data = content.encode() if isinstance(content, str) else content
            changed = len(data) != present.get(name) or path.read_bytes() != data
            if changed:
                path.write_bytes(data)
        written += changed
    for name in present.keys() - files.keys():
        (target / name).unlink()
    _remove_empty(target)
    return written


def tree(folder: Path) -> dict[str, Path]:
    """Every file below a folder, by its path in it."""
    return {name: folder / name for name in _sizes(folder)}


def _copied(source: Path, path: Path, size: int | None) -> bool:
    """Whether the file had to be copied: not where size and time say that it is the same, nor where its bytes do."""
    stored = source.stat()
    if stored.st_size == size and (
        path.stat().st_mtime_ns == stored.st_mtime_ns or path.read_bytes() == source.read_bytes()
    ):
        return False
    shutil.copyfile(source, path)
    os.utime(path, ns=(stored.st_atime_ns, stored.st_mtime_ns))
    return True


def _sizes(folder: Path) -> dict[str, int]:
    """Relative path → bytes of every file below a folder."""
    sizes = {}
    for path, _, names in os.walk(folder):
        below = Path(path).relative_to(folder).as_posix()
        prefix = "" if below == "." else f"{below}/"
        for name in names:
            sizes[prefix + name] = Path(path, name).lstat().st_size
    return sizes


def _remove_empty(target: Path) -> None:
    for path in (Path(path) for path, _, _ in os.walk(target, topdown=False)):
        if path != target and not any(path.iterdir()):
            path.rmdir()
