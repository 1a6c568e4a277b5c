"""The CPU's metrics of one process and its machine, from /proc."""

from __future__ import annotations

from collections.abc import Callable

from harness.telemetry import proc
from harness.telemetry.source import Capability


class CpuSource:
    """Readings of process ``pid``. Per-thread files are opened at the window's edges only."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.tasks: dict[str, tuple[int, int]] = {}
        self.on_cpu_ns = 0
        self.waiting_ns = 0
        self.usable: set[str] = set()

    def _ticks(self) -> dict[str, tuple[Capability, Callable[[], int | None]]]:
        return {
            "rss": (Capability("gauge", "B"), lambda: proc.rss_bytes(self.pid)),
            "cpu_time": (Capability("counter", "ns"), lambda: proc.cpu_ns(self.pid)),
            "host_busy": (Capability("counter", "ns"), lambda: (proc.machine_ns() or (None,))[0]),
            "steal": (Capability("counter", "ns"), lambda: (proc.machine_ns() or (None, None))[1]),
            "psi_cpu_some": (Capability("counter", "ns"), proc.pressure_ns),
        }

    def _edges(self) -> dict[str, tuple[Capability, Callable[[], int | None]]]:
        return {
            "on_cpu": (Capability("counter", "ns"), lambda: self.on_cpu_ns if self.tasks else None),
            "run_queue_wait": (Capability("counter", "ns"), lambda: self.waiting_ns if self.tasks else None),
            "involuntary_switches": (Capability("counter", ""), lambda: proc.involuntary_switches(self.pid)),
            "cgroup_throttled": (Capability("counter", "ns"), lambda: proc.throttled_ns(self.pid)),
        }

    def probe(self) -> dict[str, Capability]:
        self._follow_tasks()
        found = {}
        for name, (capability, read) in (self._ticks() | self._edges()).items():
            if read() is None:
                found[name] = capability._replace(
                    support="not supported", reason="this kernel or container does not offer it"
                )
            else:
                found[name] = capability
                self.usable.add(name)
        return found

    def tick(self) -> dict[str, float]:
        return self._read(self._ticks())

    def edge(self) -> dict[str, float]:
        self._follow_tasks()
        return self._read(self._ticks() | self._edges())

    def _read(self, metrics: dict[str, tuple[Capability, Callable[[], int | None]]]) -> dict[str, float]:
        values = {name: read() for name, (_, read) in metrics.items() if name in self.usable}
        return {name: value for name, value in values.items() if value is not None}

    def _follow_tasks(self) -> None:
        """Add what each thread gained since the last look; a thread that ended in between is lost."""
        now = proc.task_times(self.pid) or {}
        for task, (on_cpu, waiting) in now.items():
            before = self.tasks.get(task, (0, 0))
            self.on_cpu_ns += max(0, on_cpu - before[0])
            self.waiting_ns += max(0, waiting - before[1])
        self.tasks = now
