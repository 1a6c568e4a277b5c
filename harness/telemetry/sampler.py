"""The sampling child process: ``python -m harness.telemetry.sampler --pid PID ... --hz HZ [--gpu NAMES ...]``.

Commands come as lines on stdin, answers go as JSON lines to stdout; end of file ends it. In every list below the
trial's processes and their machine come first, then each GPU.

    (start)  -> {"ready": [{metric: [kind, unit, ...]}, ...], "gpus": [uuid_sha256, ...], "gpu_reason": why none}
    begin    -> {"edge": {...}}                                    edge readings, then ticks begin
    end      -> {"edge": {...}, "samples": [[t_before, t_after, [{metric: value}, ...]], ...], "missed": n,
                 "cpu_ns": its own CPU time between the edges, "error": null}
    check    -> {"lost": [null, driver's words or null, ...]}

An edge is ``{"t": ns, "values": [{...}, ...], "energy": [null, [t, J, whether it ticked], ...], "notes":
[{metric: words}, ...], "lost": [...]}``.

A process and not a thread: a thread's readings would wait for the interpreter lock of a busy step loop.
Ticks are due at absolute times t0 + k / hz; a missed one is counted, never made up for. With hz = 0 only the edges
are read. All times are CLOCK_MONOTONIC ns, the same clock in both processes.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import select
import sys
import time
from typing import Any

from harness.telemetry.cpu import CpuSource
from harness.telemetry.devices import NO_LIBRARY, has_nvml_library
from harness.telemetry.energy_counter import at_ticks
from harness.telemetry.nvml import NvmlSource, open_gpus

ENOUGH_CPUS = 4  # with fewer, none is to spare


def main() -> None:
    """Probe, then obey."""
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--pid", type=int, action="append", required=True, help="of each process of the trial"
    )
    parser.add_argument("--hz", type=float, required=True)
    parser.add_argument("--cpus", default="", help="CPUs allowed before the workload was pinned: 0,1,2")
    parser.add_argument("--gpu", action="append", default=[], help="names of one GPU, the most exact first")
    arguments = parser.parse_args()
    os.nice(5)
    settle({int(cpu) for cpu in arguments.cpus.split(",") if cpu})
    if arguments.gpu:
        gpus, reason = open_gpus(arguments.gpu)
    else:
        gpus, reason = [], "the case runs on the CPU" if has_nvml_library() else NO_LIBRARY
    sampler = Sampler(CpuSource(*arguments.pid), gpus, arguments.hz)
    ready = [sampler.cpu.probe(), *(gpu.probe() for gpu in gpus)]
    answer({"ready": ready, "gpus": [gpu.uuid_sha256 for gpu in gpus], "gpu_reason": reason})
    while (command := next_command(None)) is not None:
        if command == "check":
            answer({"lost": sampler.check()})
        if command == "begin":
            answer({"edge": sampler.begin()})
            if not sampler.sample_until_end():
                return


def settle(allowed: set[int]) -> None:
    """Out of the workload's way: the last CPU it does not use, where there are four or more, else any."""
    if not allowed:
        return
    free = allowed - os.sched_getaffinity(0)  # what was inherited is what the workload is pinned to
    with contextlib.suppress(OSError):  # the set of allowed CPUs may have shrunk since
        os.sched_setaffinity(0, {max(free)} if free and len(allowed) >= ENOUGH_CPUS else allowed)


class Sampler:
    """One process and its GPUs: readings at a window's edges, and ticks in between."""

    def __init__(self, cpu: CpuSource, gpus: list[NvmlSource], hz: float) -> None:
        self.cpu = cpu
        self.gpus = gpus
        self.period = 1.0 / hz if hz > 0 else None

    def begin(self) -> dict[str, Any]:
        """The window is about to open: what must lie close to it is read last."""
        for gpu in self.gpus:
            gpu.notes.clear()
        energy = self.energy()
        of_gpus = [gpu.counters() for gpu in self.gpus]
        of_cpu = edge_of(self.cpu)
        for gpu in self.gpus:
            gpu.mark()
        return self.edge([of_cpu, *of_gpus], energy)

    def end(self) -> dict[str, Any]:
        """The window has closed: what must lie close to it is read first."""
        for gpu in self.gpus:
            gpu.mark()
        of_cpu = edge_of(self.cpu)
        of_gpus = [gpu.counters() | gpu.averages() for gpu in self.gpus]
        return self.edge([of_cpu, *of_gpus], self.energy())

    def energy(self) -> list[Any]:
        return [None, *at_ticks([gpu.energy for gpu in self.gpus])]

    def edge(self, values: list[Any], energy: list[Any]) -> dict[str, Any]:
        return {
            "t": time.monotonic_ns(),
            "values": values,
            "energy": energy,
            "notes": [{}, *(gpu.notes for gpu in self.gpus)],
            "lost": self.lost(),
        }

    def lost(self) -> list[str | None]:
        return [None, *(gpu.lost for gpu in self.gpus)]

    def check(self) -> list[str | None]:
        """Ask every GPU whether it is still there."""
        for gpu in self.gpus:
            gpu.counters()
        return self.lost()

    def sample_until_end(self) -> bool:
        """Ticks up to the next command; whether it was ``end`` (and not the end of the parent).

        With a GPU that is lost nothing more is sampled: the rest of the window is not the trial's any more.
        """
        samples: list[tuple[int, int, list[Any]]] = []
        missed, error = 0, None
        start, cpu_start = time.monotonic(), time.process_time_ns()
        due = 1
        while True:
            wait = None
            if self.period is not None:
                now = time.monotonic()
                late = int((now - start) / self.period) - due
                if late > 0:  # whole periods slept through
                    missed += late
                    due += late
                wait = max(0.0, start + due * self.period - now)
            command = next_command(wait)
            if command is None:
                return False
            if command:
                break
            if error is None and not any(self.lost()):
                try:
                    sample = self.tick(len(samples))
                except Exception as problem:  # a source that fails ends the ticks, not the trial
                    error = f"{type(problem).__name__}: {problem}"
                else:
                    if not any(self.lost()):
                        samples.append(sample)
            due += 1
        cpu_ns = time.process_time_ns() - cpu_start
        answer({"edge": self.end(), "samples": samples, "missed": missed, "cpu_ns": cpu_ns, "error": error})
        return True

    def tick(self, number: int) -> tuple[int, int, list[Any]]:
        """(ns before, ns after, values of each source)."""
        before = time.monotonic_ns()
        values = [self.cpu.tick(), *(gpu.tick(number) for gpu in self.gpus)]
        return before, time.monotonic_ns(), values


def edge_of(cpu: CpuSource) -> dict[str, float]:
    """The process's counters; empty if the source fails."""
    try:
        return cpu.edge()
    except Exception as problem:
        print(f"telemetry: {type(problem).__name__}: {problem}", file=sys.stderr)
        return {}


_pending = b""


def next_command(timeout: float | None) -> str | None:
    """The next line of stdin; ``""`` after ``timeout`` seconds without one, ``None`` at end of file."""
    global _pending
    while b"\n" not in _pending:
        ready, _, _ = select.select([0], [], [], timeout)
        if not ready:
            return ""
        chunk = os.read(0, 4096)
        if not chunk:
            return None
        _pending += chunk
    row, _, _pending = _pending.partition(b"\n")
    return row.decode()


def answer(message: dict[str, Any]) -> None:
    """One JSON line to the parent."""
    os.write(1, json.dumps(message).encode() + b"\n")


if __name__ == "__main__":
    main()
