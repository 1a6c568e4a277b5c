"""What Linux tells any process about time: run queues, CPU time, pressure, steal, throttling, memory.

Standard library only: the sampler's child process imports it. Times are ns unless named otherwise.
Every function answers ``None`` where the kernel or the container does not offer the file.
"""

from __future__ import annotations

import os
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")
TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def read(path: str | Path) -> str | None:
    """A small file's text, or ``None``."""
    try:
        return Path(path).read_text()
    except OSError:
        return None


def _tasks(pid: int | str) -> list[Path]:
    try:
        return list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return []


def task_times(pid: int | str) -> dict[str, tuple[int, int]] | None:
    """``{thread id: (ns on a core, ns waiting in a run queue)}`` of a process."""
    times = {}
    for task in _tasks(pid):
        fields = (read(f"{task}/schedstat") or "").split()
        if len(fields) >= 2:  # a thread may have ended since
            times[task.name] = (int(fields[0]), int(fields[1]))
    return times or None


def involuntary_switches(pid: int | str) -> int | None:
    """How often the scheduler took a core away from this process's threads."""
    total = None
    for task in _tasks(pid):
        for row in (read(f"{task}/status") or "").splitlines():
            if row.startswith("nonvoluntary_ctxt_switches:"):
                total = (total or 0) + int(row.split()[1])
    return total


def cpu_ns(pid: int | str) -> int | None:
    """User and system time of a process, ended threads included, in the kernel's ticks (10 ms)."""
    text = read(f"/proc/{pid}/stat")
    if text is None:
        return None
    fields = text.rpartition(")")[2].split()  # the name in parentheses may hold blanks
    return (int(fields[11]) + int(fields[12])) * TICK_NS


def rss_bytes(pid: int | str) -> int | None:
    """Resident memory of a process."""
    text = read(f"/proc/{pid}/statm")
    return None if text is None else int(text.split()[1]) * PAGE


def pressure_ns() -> int | None:
    """Time in which some task of this machine (or container) waited for a core."""
    for row in (read("/proc/pressure/cpu") or "").splitlines():
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


def throttled_ns(pid: int | str) -> int | None:
    """Time in which this process's control group was held back by its CPU quota."""
    for row in (read(f"/proc/{pid}/cgroup") or "").splitlines():
        _, controllers, group = row.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        for root in ("/sys/fs/cgroup", "/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct"):
            for folder in (f"{root}{group}", root):  # in a container the group's own path is not visible
                for line in (read(f"{folder}/cpu.stat") or "").splitlines():
                    name, _, value = line.partition(" ")
                    if name in ("throttled_usec", "throttled_time"):
                        return int(value) * (1000 if name == "throttled_usec" else 1)
    return None
