"""What a trial does that must cost nobody else anything: each deed by its name, from a right step to a lie."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

MEMORY_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)  # v2, v1
MEBIBYTE = 1 << 20
LEFT_BEHIND = "left behind by a misbehaving trial"


def sound() -> None:
    """Nothing."""


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def segfault() -> None:
    ctypes.string_at(0)


def abort() -> None:
    os.abort()


def exception() -> None:
    raise RuntimeError("the step does not want to")


def exit_without_record() -> None:
    os._exit(0)


def child_left_behind() -> None:
    """It would outlive its parent by far, in a session of its own."""
    subprocess.Popen(
        [sys.executable, "-c", f"import time; time.sleep(3600)  # {LEFT_BEHIND}"], start_new_session=True
    )
    os._exit(0)


def deadlock() -> None:
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


def out_of_memory() -> None:
    """Takes memory once the container's limit is small, so that this machine does not have to be filled."""
    limit = next(path for path in MEMORY_LIMITS if path.exists())
    while (said := limit.read_text().strip()) == "max" or int(said) > 1024 * MEBIBYTE:
        time.sleep(0.05)
    held = []
    while True:
        held.append(b"x" * MEBIBYTE)


def fork_bomb() -> None:
    while True:
        try:
            os.fork()
        except OSError:
            time.sleep(0.1)


def endless_words() -> None:
    while True:
        sys.stderr.write("the same line again and again\n")


def endless_line() -> None:
    while True:
        sys.stderr.write("x" * 65536)


def endless_record() -> None:
    """On every descriptor that is open, the record's own among them."""
    while True:
        for descriptor in range(1, 10):
            try:
                os.write(descriptor, b"{" * 65536)
            except OSError:
                continue


def full_disk() -> None:
    """Fills its temporary folder. In a container that is memory, whose limit it may reach first."""
    folder = Path("/tmp")
    size = os.statvfs(folder).f_bsize * os.statvfs(folder).f_bavail
    with (folder / "filled").open("wb") as file:
        for _ in range(size // MEBIBYTE + 1):
            file.write(b"x" * MEBIBYTE)


def lie() -> None:
    """The record is of another image than the one that ran."""
    import msgspec

    from harness import __main__ as harness
    from harness.record import encode

    main = sys.modules["__main__"]
    told = {"name": "somebody-else-1.0", "lock_sha256": "0" * 64}
    for module in (main, harness):
        module.encode = lambda record: encode(  # type: ignore[attr-defined]
            msgspec.structs.replace(record, image=msgspec.structs.replace(record.image, **told))
        )


class Deed(NamedTuple):
    """What is done, and how the record may say that the trial ended."""

    do: Callable[[], None]
    ends: tuple[str, ...]


DEEDS = {
    "sound": Deed(sound, ("ok",)),
    "killed": Deed(killed, ("crashed",)),
    "segfault": Deed(segfault, ("crashed",)),
    "abort": Deed(abort, ("crashed",)),
    "exception": Deed(exception, ("crashed",)),
    "exit-without-record": Deed(exit_without_record, ("crashed",)),
    "child-left-behind": Deed(child_left_behind, ("crashed",)),
    "deadlock": Deed(deadlock, ("timeout",)),
    "out-of-memory": Deed(out_of_memory, ("oom",)),
    "fork-bomb": Deed(fork_bomb, ("timeout", "oom")),
    "full-disk": Deed(full_disk, ("oom", "crashed")),
    "endless-words": Deed(endless_words, ("timeout",)),
    "endless-line": Deed(endless_line, ("timeout",)),
    "endless-record": Deed(endless_record, ("timeout",)),
    "lie": Deed(lie, ("crashed",)),
}
ONLY_CONTAINED = ("out-of-memory", "fork-bomb", "full-disk")
"""What a process without limits does to the whole machine."""
