"""Where things lie below ``build/``, and how they get there: whole or not at all, one build at a time."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

Progress = Callable[[str], None]


def layer_store(root: Path) -> Path:
    """Folder of everything that images are put together from; made if it is not there."""
    folder = root / "build" / "store" / "images"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def layer_path(root: Path, digest: str) -> Path:
    """Place of the canonical layer ``digest`` (``sha256:<hex>``), an uncompressed tar."""
    return layer_store(root) / "layers" / f"{digest.removeprefix('sha256:')}.tar"


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that nobody ever sees a part of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_bytes(content)
    temporary.rename(path)


@contextmanager
def one_at_a_time(root: Path, progress: Progress) -> Iterator[None]:
    """Two builds into one store wait for each other; what a killed build left behind is cleared."""
    store = layer_store(root)
    with (store / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("waiting for another build of this checkout to end")
            fcntl.flock(file, fcntl.LOCK_EX)
        for left in store.glob("building-*"):
            shutil.rmtree(left, ignore_errors=True)
        yield
