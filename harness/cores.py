"""The cores that a process may use: what it is pinned to, cut by the quota of its control groups.

Host and harness ask this one module; it imports nothing of the harness.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")


def pinned_to() -> list[int]:
    """Numbers of the cores that this process is pinned to; all of them where the system does not pin (macOS)."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def cores_allowed() -> int:
    """Cores this process may use. A quota is rounded up: with half a core's time it still runs on one core."""
    quota = cpu_quota()
    pinned = len(pinned_to())
    return pinned if quota is None else max(1, min(pinned, math.ceil(quota)))


def cpu_quota() -> float | None:
    """The smallest quota of the process's control group and those above it, in cores; null without a limit."""
    return min(_quotas(), default=None)


def _quotas() -> Iterator[float]:
    for folder in _folders():
        fields = _words(folder / "cpu.max")
        if fields and fields[0] != "max":  # version 2: "max 100000" is no limit
            yield int(fields[0]) / int(fields[1])
        quota, period = _words(folder / "cpu.cfs_quota_us"), _words(folder / "cpu.cfs_period_us")
        if quota and period and int(quota[0]) > 0:  # version 1: -1 is no limit
            yield int(quota[0]) / int(period[0])


def _folders() -> Iterator[Path]:
    """Where the limits of this process may stand: in a container at the root, elsewhere below it, on every level."""
    yield from (ROOT, ROOT / "cpu")
    try:
        lines = MEMBERSHIP.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and "cpu" not in controllers.split(","):
            continue
        below = ROOT / "cpu" if controllers else ROOT
        parts = [part for part in path.split("/") if part not in ("", "..")]
        for depth in range(1, len(parts) + 1):
            yield below.joinpath(*parts[:depth])


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []
