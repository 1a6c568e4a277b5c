"""The sampling child process: ``python -m harness.telemetry.sampler --pid PID --hz HZ``.

Commands come as lines on stdin, answers go as JSON lines to stdout; end of file ends it.

    (start)  -> {"ready": {metric: [kind, unit, support, reason]}}
    begin    -> {"begin": {"t": ns, "values": {metric: value}}}      edge readings, then ticks begin
    end      -> {"end": {"t": ns, "values": {...}}, "samples": [[t_before, t_after, {...}], ...],
                 "missed": n, "error": null}

A process and not a thread: a thread's readings would wait for the interpreter lock of a busy step loop.
Ticks are due at absolute times t0 + k / hz; a missed one is counted, never made up for. All times are
CLOCK_MONOTONIC ns, the same clock in both processes.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import sys
import time
from collections.abc import Iterable
from typing import Any

from harness.telemetry.cpu import CpuSource
from harness.telemetry.nvml import NvmlSource
from harness.telemetry.source import Source


def main() -> None:
    """Probe, then obey."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pid", type=int, required=True)
    parser.add_argument("--hz", type=float, required=True)
    arguments = parser.parse_args()
    os.nice(5)
    sources: list[Source] = [CpuSource(arguments.pid), NvmlSource()]
    answer({"ready": {name: capability for source in sources for name, capability in source.probe().items()}})
    period = 1.0 / arguments.hz
    while (command := next_command(None)) is not None:
        if command == "begin":
            answer({"begin": edge(sources)})
            if not sample_until_end(sources, period):
                return


def sample_until_end(sources: Iterable[Source], period: float) -> bool:
    """Ticks up to the next command; whether it was ``end`` (and not the end of the parent)."""
    samples: list[tuple[int, int, dict[str, float]]] = []
    missed, error = 0, None
    start = time.monotonic()
    due = 1
    while True:
        now = time.monotonic()
        late = int((now - start) / period) - due
        if late > 0:  # whole periods slept through
            missed += late
            due += late
        command = next_command(max(0.0, start + due * period - now))
        if command is None:
            return False
        if command:
            break
        if error is None:
            try:
                samples.append(reading(sources))
            except Exception as problem:  # a lost device ends the ticks, not the trial
                error = f"{type(problem).__name__}: {problem}"
        due += 1
    answer({"end": edge(sources), "samples": samples, "missed": missed, "error": error})
    return True


def reading(sources: Iterable[Source]) -> tuple[int, int, dict[str, float]]:
    """(ns before, ns after, values) of one tick."""
    before = time.monotonic_ns()
    values = {name: value for source in sources for name, value in source.tick().items()}
    return before, time.monotonic_ns(), values


def edge(sources: Iterable[Source]) -> dict[str, Any]:
    """All counters now; a source that fails is left out."""
    values: dict[str, float] = {}
    for source in sources:
        try:
            values |= source.edge()
        except Exception as problem:
            print(f"telemetry: {type(problem).__name__}: {problem}", file=sys.stderr)
    return {"t": time.monotonic_ns(), "values": values}


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
