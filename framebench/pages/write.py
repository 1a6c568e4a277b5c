"""A folder is made to hold exactly some files, and what has not changed is neither made nor written again."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec


class Keyed(NamedTuple):
    """``make`` gives the text; whatever it depends on is in ``key``, so that an equal key is an equal text."""

    key: bytes
    make: Callable[[], str]


class Twin(NamedTuple):
    """What the file ``name`` of the same tree holds, which comes before it."""

    name: str


Content = str | bytes | Path | Callable[[], str] | Keyed | Twin
"""Text, bytes, a file to copy, or what makes the text when its turn comes: ten thousand pages are never held at
once."""


class _Found(NamedTuple):
    """A file that is there: bytes, times in ns, and how many names it has."""

    size: int
    changed: int
    inode_changed: int
    inode: int
    names: int

    @property
    def times(self) -> _Times:
        """What no program that changes a file can leave as it was: see ``records.index``."""
        return self.size, self.inode_changed, self.inode


_Times = tuple[int, int, int]
_Made = dict[str, tuple[bytes, _Times]]


def write_tree(target: Path, files: Mapping[str, Content]) -> int:
    """Make ``target`` hold exactly ``files`` (relative path → content); the number written.

    Unchanged files keep their time, so that a rebuild is incremental for whoever watches the folder. Beside it lies a
    file that has the keys of what is ``Keyed``, and the times of what was made: where both are as they were, nothing is
    made again.
    """
    target.mkdir(parents=True, exist_ok=True)
    present = _found(target)
    for folder in {(target / name).parent for name in files.keys() - present.keys()}:
        folder.mkdir(parents=True, exist_ok=True)
    ledger = target.with_name(f"{target.name}.made")
    before = _read(ledger) if any(isinstance(one, Keyed) for one in files.values()) else {}
    made: _Made = {}
    written = 0
    for name, content in files.items():
        path, found = target / name, present.get(name)
        if isinstance(content, Keyed):
            if found is not None and before.get(name) == (content.key, found.times):
                made[name] = before[name]
                continue
            written += _put(path, content.make().encode(), found)
            made[name] = content.key, _of(path.stat()).times
        elif isinstance(content, Twin):
            written += _linked(target / content.name, path, found)
        elif isinstance(content, Path):
            written += _copied(content, path, found)
        else:
            text = content() if callable(content) else content
            written += _put(path, text.encode() if isinstance(text, str) else text, found)
    for name in present.keys() - files.keys():
        (target / name).unlink()
    _remove_empty(target)
    if made != before:
        _keep(made, ledger)
    return written


def tree(folder: Path) -> dict[str, Path]:
    """Every file below a folder, by its path in it."""
    return {name: folder / name for name in _found(folder)}


def _put(path: Path, data: bytes, found: _Found | None) -> bool:
    if found is not None and found.size == len(data) and path.read_bytes() == data:
        return False
    _apart(path, found)
    path.write_bytes(data)
    return True


def _copied(source: Path, path: Path, found: _Found | None) -> bool:
    """Whether the file had to be copied: not where size and time say that it is the same, nor where its bytes do."""
    stored = source.stat()
    if found is not None and stored.st_size == found.size:
        same = found.changed == stored.st_mtime_ns
        if same or path.read_bytes() == source.read_bytes():
            return False
    _apart(path, found)
    shutil.copyfile(source, path)
    os.utime(path, ns=(stored.st_atime_ns, stored.st_mtime_ns))
    return True


def _linked(source: Path, path: Path, found: _Found | None) -> bool:
    """A second name of a file of the tree; a copy where the disk has no such thing."""
    if found is not None and source.samefile(path):
        return False
    try:
        path.unlink(missing_ok=True)
        os.link(source, path)
    except OSError:
        return _copied(source, path, None)
    return True


def _apart(path: Path, found: _Found | None) -> None:
    """What is about to be written has one name alone."""
    if found is not None and found.names > 1:
        path.unlink()


def _read(ledger: Path) -> _Made:
    try:
        return msgspec.msgpack.decode(ledger.read_bytes(), type=_Made)
    except (OSError, msgspec.DecodeError):
        return {}


def _keep(made: _Made, ledger: Path) -> None:
    """Whole or not at all; without it everything is made again."""
    temporary = ledger.with_name(f".{ledger.name}.{os.getpid()}.tmp")
    with contextlib.suppress(OSError):
        temporary.write_bytes(msgspec.msgpack.encode(made))
        temporary.replace(ledger)


def _found(folder: Path) -> dict[str, _Found]:
    """Every file below a folder, by its path in it."""
    found = {}
    prefix = len(f"{folder}/")
    folders = [os.fspath(folder)]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    found[entry.path[prefix:]] = _of(entry.stat(follow_symlinks=False))
    return found


def _of(stat: os.stat_result) -> _Found:
    return _Found(stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, stat.st_nlink)


def _remove_empty(target: Path) -> None:
    for path in (Path(path) for path, _, _ in os.walk(target, topdown=False)):
        if path != target and not any(path.iterdir()):
            path.rmdir()
