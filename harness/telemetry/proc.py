"""What Linux tells any process about time and memory: run queues, CPU time, pressure, steal, faults.

Standard library only: the sampler's child process imports it. Times are ns unless named otherwise. Every
function answers ``None`` where the kernel or the container does not offer the file. ``read`` and ``names`` are
the only two that touch files: tests put other trees under them.
"""

from __future__ import annotations

import os
from io import FileIO
from pathlib import Path
from typing import NamedTuple

PAGE = os.sysconf("SC_PAGE_SIZE")
TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def read(path: str | Path) -> str | None:
    """A small file's text, or ``None``."""
    try:
        with FileIO(path) as file:  # no buffer, no text layer: half the cost of read_text
            return file.readall().decode()
    except OSError:
        return None


def names(folder: str) -> list[str]:
    """What a folder holds, or nothing."""
    try:
        return [entry.name for entry in os.scandir(folder)]
    except OSError:
        return []


def task_times(pid: int | str) -> dict[str, tuple[int, int]] | None:
    """``{thread id: (ns on a core, ns waiting in a run queue)}`` of a process."""
    times = {}
    for task in names(f"/proc/{pid}/task"):
        fields = (read(f"/proc/{pid}/task/{task}/schedstat") or "").split()
        if len(fields) >= 2:  # a thread may have ended since
            times[task] = (int(fields[0]), int(fields[1]))
    return times or None


def task_switches(pid: int | str) -> dict[str, tuple[int, int]] | None:
    """``{thread id: (voluntary, involuntary)}`` context switches: it waited, or its core was taken away."""
    switches = {}
    for task in names(f"/proc/{pid}/task"):
        # the last two rows of a long file
        rows = (read(f"/proc/{pid}/task/{task}/status") or "").splitlines()[-2:]
        fields = dict(row.split(":", 1) for row in rows)
        if "voluntary_ctxt_switches" in fields:
            switches[task] = (
                int(fields["voluntary_ctxt_switches"]),
                int(fields["nonvoluntary_ctxt_switches"]),
            )
    return switches or None


class Process(NamedTuple):
    """Totals of a process, ended threads included. CPU time comes in the kernel's ticks (10 ms)."""

    cpu_ns: int
    rss_bytes: int
    minor_faults: int
    major_faults: int


def process(pid: int | str) -> Process | None:
    """CPU time, resident memory and page faults of a process, from one file."""
    text = read(f"/proc/{pid}/stat")
    if text is None:
        return None
    fields = text.rpartition(")")[2].split()  # the name in parentheses may hold blanks
    minor, major, user, system, rss = (int(fields[i]) for i in (7, 9, 11, 12, 21))
    return Process((user + system) * TICK_NS, rss * PAGE, minor, major)


def rss_peak_bytes(pid: int | str) -> int | None:
    """High-water mark of a process's resident memory so far."""
    for row in (read(f"/proc/{pid}/status") or "").splitlines():
        if row.startswith("VmHWM:"):
            return int(row.split()[1]) * 1024
    return None


def pressure_ns(path: str = "/proc/pressure/cpu") -> int | None:
    """Time in which some task waited for a core: of the whole machine, or of a control group."""
    for row in (read(path) or "").splitlines():
        if row.startswith("some"):
            return int(row.rpartition("total=")[2]) * 1000
    return None


def machine_ns() -> tuple[int, int] | None:
    """``(busy, stolen)`` ns of all cores together, since boot."""
    text = read("/proc/stat")
    if text is None:
        return None
    ticks = [int(field) for field in text.split("\n", 1)[0].split()[1:]]
    user, nice, system, _idle, _iowait, irq, softirq = ticks[:7]
    steal = ticks[7] if len(ticks) > 7 else 0
    return (user + nice + system + irq + softirq) * TICK_NS, steal * TICK_NS
