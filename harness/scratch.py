"""Folders for files that a process reads again and nobody keeps: gone with it, also where it ends by ``os._exit``."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_made: list[Path] = []


def folder(prefix: str) -> Path:
    """A new one; removed where ``cleared`` ends."""
    _made.append(Path(tempfile.mkdtemp(prefix=prefix)))
    return _made[-1]


@contextmanager
def cleared() -> Iterator[None]:
    """Removes every folder that was made meanwhile."""
    try:
        yield
    finally:
        while _made:
            shutil.rmtree(_made.pop(), ignore_errors=True)
