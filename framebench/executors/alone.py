"""One measurement at a time on a machine, whichever clone it comes from: a second would be measured in the first."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from framebench.executors import Progress

PLACE = Path("/tmp/framebench-measuring.lock")
"""The same for every user, clone and ``TMPDIR`` of the machine. Who holds it is written in it."""


@contextlib.contextmanager
def alone(
    root: Path, say: Progress, place: Path | None = None, what: str = "this machine is measuring"
) -> Iterator[None]:
    """Hold the machine for measuring, or at another ``place`` for ``what`` is done there; waits for who has it.

    The kernel lets go of it when the process ends, however that happens.
    """
    descriptor = _opened(place or PLACE)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"{what} already: {_written(descriptor)}; waiting until that has ended (Ctrl-C stops)")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        with contextlib.suppress(OSError):  # somebody else's file that we may not write to: it still locks
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, _ourselves(root).encode(errors="replace"), 0)
        yield
    finally:
        os.close(descriptor)


def holder(place: Path | None = None) -> str | None:
    """Who measures on this machine; null where nobody does."""
    descriptor = _opened(place or PLACE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _written(descriptor)
    else:
        return None
    finally:
        os.close(descriptor)


def _written(descriptor: int) -> str:
    return os.pread(descriptor, 4096, 0).decode(errors="replace").strip() or "another framebench"


def _opened(place: Path) -> int:
    """A descriptor that can be locked, also of a file that another user made (which no one may create anew)."""
    for flags in (os.O_RDWR, os.O_RDONLY):
        with contextlib.suppress(FileNotFoundError, PermissionError):
            return os.open(place, flags | os.O_NOFOLLOW)
    descriptor = os.open(place, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    with contextlib.suppress(OSError):
        os.fchmod(descriptor, 0o666)  # whatever the umask says: others write their names into it
    return descriptor


def _ourselves(root: Path) -> str:
    command = " ".join(["framebench", *sys.argv[1:]])
    return f"process {os.getpid()}, `{command}` in {root}, since {datetime.now():%d %B, %H:%M}"
