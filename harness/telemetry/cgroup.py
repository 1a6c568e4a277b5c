"""The control group that a process's CPU time is charged to, version 1 and 2: throttling and pressure.

A limit anywhere above a group holds the group back, and is counted where it is set: throttled time is that of
the group and of those above it, as far as they are visible (in a container the container's own is the first).
Rules: Linux, Documentation/admin-guide/cgroup-v2.rst and scheduler/sched-bwc.rst.
"""

from __future__ import annotations

from typing import NamedTuple

from harness.telemetry import proc

_THROTTLED = {1: ("throttled_time", 1), 2: ("throttled_usec", 1000)}  # field of cpu.stat, ns per unit


class CpuGroup(NamedTuple):
    """``folders`` of the group and of those above it, the group's own first."""

    version: int
    folders: tuple[str, ...]

    def throttled_ns(self) -> int | None:
        """Time in which CPU quotas held this group back; ``None`` if no level counts it."""
        name, unit = _THROTTLED[self.version]
        found = [
            int(row.split()[1]) * unit
            for folder in self.folders
            for row in (proc.read(f"{folder}/cpu.stat") or "").splitlines()
            if row.startswith(f"{name} ")
        ]
        return sum(found) if found else None

    def pressure_ns(self) -> int | None:
        """Time in which some task of this group waited for a core; version 1 does not count it."""
        return proc.pressure_ns(f"{self.folders[0]}/cpu.pressure") if self.version == 2 else None


def of(pid: int | str) -> CpuGroup | None:
    """The group of a process; ``None`` where no control group file system is mounted.

    Where both versions are mounted the CPU controller is on one of them only: on version 1, if it is there.
    """
    for version, mount_root, mount_point in sorted(_mounts(pid)):
        group = _group(pid, version)
        if group is None:
            continue
        # below another root than this mount's (a container that sees the host's names): the mount is the group
        inside = group == mount_root or group.startswith(mount_root.rstrip("/") + "/")
        relative = group[len(mount_root.rstrip("/")) :] if inside else ""
        parts = [part for part in relative.split("/") if part not in ("", "..")]
        folders = ["/".join([mount_point, *parts[:depth]]) for depth in range(len(parts), -1, -1)]
        return CpuGroup(version, tuple(folders))
    return None


def _mounts(pid: int | str) -> list[tuple[int, str, str]]:
    """(version, root inside the hierarchy, mount point) of every mount that can have the CPU controller."""
    found = []
    for row in (proc.read(f"/proc/{pid}/mountinfo") or "").splitlines():
        mount, _, system = row.partition(" - ")
        root, point = mount.split()[3:5]
        kind, _source, options = system.split()[:3]
        if kind == "cgroup2":
            found.append((2, root, point))
        elif kind == "cgroup" and "cpu" in options.split(","):
            found.append((1, root, point))
    return found


def _group(pid: int | str, version: int) -> str | None:
    """The process's path in the hierarchy of this version (and, of version 1, of the CPU controller)."""
    for row in (proc.read(f"/proc/{pid}/cgroup") or "").splitlines():
        _, controllers, path = row.split(":", 2)
        if "cpu" in controllers.split(",") if version == 1 else not controllers:
            return path
    return None
