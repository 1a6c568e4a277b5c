"""Files that a process writes once, reads again and again, and leaves to nobody, though it may end by ``os._exit``."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path

_made: dict[Hashable, Path] = {}


def written(key: Hashable, write: Callable[[Path], None]) -> Path:
    """The folder that ``write`` filled when ``key`` was asked for first; removed where ``cleared`` ends."""
    if key not in _made:
        folder = Path(tempfile.mkdtemp(prefix="framebench-files-"))
        try:
            write(folder)
        except BaseException:  # half of the files are none
            shutil.rmtree(folder, ignore_errors=True)
            raise
        _made[key] = folder
    return _made[key]


@contextmanager
def cleared() -> Iterator[None]:
    """Removes every folder at the end."""
    try:
        yield
    finally:
        while _made:
            shutil.rmtree(_made.popitem()[1], ignore_errors=True)
