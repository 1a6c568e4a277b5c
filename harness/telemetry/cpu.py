"""The CPU's metrics of a trial's processes and their machine, from /proc, control groups and RAPL."""

from __future__ import annotations

from collections.abc import Mapping

from harness.telemetry import cgroup, proc, rapl
from harness.telemetry.source import Capability, Support

NO_SCHEDSTAT = "this kernel counts no run-queue wait (/proc/PID/task/TID/schedstat)"
NO_SWITCHES = "this kernel counts no context switches (/proc/PID/task/TID/status)"
NO_PROCESS = "no /proc/PID/stat"
NO_MACHINE = "no /proc/stat"

# What each metric is, and why it is absent where it is.
METRICS = {
    "cpu_time": (Capability("counter", "ns"), NO_PROCESS),
    "rss": (Capability("gauge", "B"), NO_PROCESS),
    "minor_faults": (Capability("counter", ""), NO_PROCESS),
    "major_faults": (Capability("counter", ""), NO_PROCESS),
    "host_busy": (Capability("counter", "ns"), NO_MACHINE),
    "steal": (Capability("counter", "ns"), NO_MACHINE),
    "psi_cpu_some": (Capability("counter", "ns"), "this kernel keeps no /proc/pressure/cpu"),
    "cgroup_psi_cpu_some": (
        Capability("counter", "ns"),
        "no cpu.pressure (control groups v1?)",
    ),
    "cgroup_throttled": (Capability("counter", "ns"), "no cpu.stat with throttled time for this process"),
    "rss_peak": (Capability("peak", "B"), "this kernel keeps no VmHWM"),
    "on_cpu": (Capability("counter", "ns"), NO_SCHEDSTAT),
    "run_queue_wait": (Capability("counter", "ns"), NO_SCHEDSTAT),
    "voluntary_switches": (Capability("counter", ""), NO_SWITCHES),
    "involuntary_switches": (Capability("counter", ""), NO_SWITCHES),
}
ENERGY = ("package_energy", Capability("counter", "J"))


class CpuSource:
    """Readings of the processes together. Per-thread files and RAPL are read at the window's edges only."""

    def __init__(self, *pids: int) -> None:
        self.pids = pids
        self.group: cgroup.CpuGroup | None = None
        self.packages = rapl.Packages()
        self.usable: set[str] = set()
        self.times: Mapping[str, tuple[int, int]] = {}
        self.switches: Mapping[str, tuple[int, int]] = {}
        self.on_cpu_ns = self.waiting_ns = self.voluntary = self.involuntary = 0

    def probe(self) -> dict[str, Capability]:
        self.group = cgroup.of(self.pids[0])
        readings = self._files() | self._edge_files()
        found = {
            name: capability if name in readings else _refused(capability, "not supported", reason)
            for name, (capability, reason) in METRICS.items()
        }
        name, capability = ENERGY
        support, reason = self.packages.probe()
        found[name] = _refused(capability, support, reason)
        self.usable = {name for name, capability in found.items() if capability.support == "ok"}
        return found

    def tick(self) -> dict[str, float]:
        return self._usable(self._files())

    def edge(self) -> dict[str, float]:
        return self._usable(self._files() | self._edge_files())

    def _usable(self, readings: dict[str, float]) -> dict[str, float]:
        return {name: value for name, value in readings.items() if name in self.usable}

    def _files(self) -> dict[str, float]:
        """One short file each: every process, the machine, pressure, the control group."""
        readings: dict[str, float | None] = {"psi_cpu_some": proc.pressure_ns()}
        found = [process for pid in self.pids if (process := proc.process(pid)) is not None]
        if len(found) == len(self.pids):
            readings |= {
                "cpu_time": sum(process.cpu_ns for process in found),
                "rss": sum(process.rss_bytes for process in found),
                "minor_faults": sum(process.minor_faults for process in found),
                "major_faults": sum(process.major_faults for process in found),
            }
        if (machine := proc.machine_ns()) is not None:
            readings["host_busy"], readings["steal"] = machine
        if self.group is not None:
            readings["cgroup_psi_cpu_some"] = self.group.pressure_ns()
            readings["cgroup_throttled"] = self.group.throttled_ns()
        return {name: value for name, value in readings.items() if value is not None}

    def _edge_files(self) -> dict[str, float]:
        """Two files per thread, the memory peak, the energy counters."""
        times: dict[str, tuple[int, int]] = {}
        switches: dict[str, tuple[int, int]] = {}
        for pid in self.pids:
            times |= proc.task_times(pid) or {}
            switches |= proc.task_switches(pid) or {}
        peaks = [peak for pid in self.pids if (peak := proc.rss_peak_bytes(pid)) is not None]
        on_cpu, waiting = growth(self.times, times)
        voluntary, involuntary = growth(self.switches, switches)
        self.times, self.switches = times, switches
        self.on_cpu_ns += on_cpu
        self.waiting_ns += waiting
        self.voluntary += voluntary
        self.involuntary += involuntary
        readings: dict[str, float | None] = {
            "rss_peak": sum(peaks) if len(peaks) == len(self.pids) else None,
            "package_energy": self.packages.joules(),
        }
        if times:
            readings |= {"on_cpu": self.on_cpu_ns, "run_queue_wait": self.waiting_ns}
        if switches:
            readings |= {"voluntary_switches": self.voluntary, "involuntary_switches": self.involuntary}
        return {name: value for name, value in readings.items() if value is not None}


def growth(before: Mapping[str, tuple[int, int]], now: Mapping[str, tuple[int, int]]) -> tuple[int, int]:
    """What all threads together gained since the last look; of a thread that ended the last bit is lost."""
    first = second = 0
    for task, (a, b) in now.items():
        was = before.get(task, (0, 0))
        first += max(0, a - was[0])
        second += max(0, b - was[1])
    return first, second


def _refused(capability: Capability, support: Support, reason: str | None) -> Capability:
    return capability._replace(support=support, reason=reason)
