"""The parent's side of telemetry: start the sampler, mark the window's edges, keep what lies inside.

Telemetry never fails a trial: a sampler that dies or hangs is ended, and the record says so.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from harness.record import Metric
from harness.record import Telemetry as TelemetryRecord
from harness.telemetry.source import Capability

DIED = "sampler died"
MIN_SAMPLES = 8  # fewer make no mean
SERIES_POINTS = 240
_START_S = 20.0
_ANSWER_S = 5.0


class Telemetry:
    """Context manager around one sampler; ``window()`` marks the timed part.

    After the window ``record()`` is what goes into the trial's record, ``series()`` into its sidecar.
    """

    def __init__(self, hz: float, command: list[str] | None = None) -> None:
        self.hz = hz
        self.command = command or [sys.executable, "-m", "harness.telemetry.sampler"]
        self.process: subprocess.Popen[bytes] | None = None
        self.capabilities: dict[str, Capability] | None = None
        self.reason: str | None = None
        self.edges: list[dict[str, Any]] = []
        self.samples: list[tuple[int, int, dict[str, float]]] = []
        self.missed = 0
        self.window_ns = (0, 0)
        self._buffer = b""

    def __enter__(self) -> Telemetry:
        try:
            self.process = subprocess.Popen(
                [*self.command, "--pid", str(os.getpid()), "--hz", str(self.hz)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
            )
        except OSError as error:
            self.reason = f"sampler did not start: {error.strerror}"
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._stop()

    @contextmanager
    def window(self) -> Iterator[None]:
        """The timed part. Edge readings are made outside it: their cost is not in any block."""
        if self.capabilities is None and (ready := self._receive(_START_S)) is not None:
            self.capabilities = {name: Capability(*fields) for name, fields in ready["ready"].items()}
        begin = self._ask("begin")
        start = time.monotonic_ns()
        try:
            yield
        finally:
            self.window_ns = (start, time.monotonic_ns())
            end = self._ask("end")
        if begin is not None and end is not None:
            self.edges = [begin["begin"], end["end"]]
            self.samples = [
                (before, after, values)
                for before, after, values in end["samples"]
                if self.window_ns[0] <= before and after <= self.window_ns[1]
            ]
            self.missed = end["missed"]
            self.reason = end["error"]

    def delta(self, metric: str) -> float | None:
        """Growth of a counter over the window; ``None`` if it could not be read."""
        values = [edge["values"].get(metric) for edge in self.edges]
        return None if len(values) != 2 or None in values else values[1] - values[0]

    def record(self) -> TelemetryRecord:
        """Aggregates over the window."""
        return TelemetryRecord(
            hz=self.hz,
            ticks=len(self.samples),
            missed_ticks=self.missed,
            window_ns=self.window_ns[1] - self.window_ns[0],
            metrics={name: self._metric(name, how) for name, how in (self.capabilities or {}).items()},
            reason=self.reason,
        )

    def series(self) -> dict[str, Any] | None:
        """Samples over time, at most 240 points: ns since the window began, and each metric's values."""
        if not self.samples:
            return None
        stride = -(-len(self.samples) // SERIES_POINTS)
        kept = self.samples[::stride]
        names = sorted({name for _, _, values in kept for name in values})
        return {
            "t_ns": [before - self.window_ns[0] for before, _, _ in kept],
            "metrics": {name: [values.get(name) for _, _, values in kept] for name in names},
        }

    def _metric(self, name: str, how: Capability) -> Metric:
        if how.support != "ok":
            return Metric(support=how.support, reason=how.reason, unit=how.unit)
        if not self.edges:
            return Metric(support="failed", reason=self.reason or "no window was measured", unit=how.unit)
        if how.kind == "counter":
            delta = self.delta(name)
            if delta is None:
                return Metric(support="failed", reason="not readable at both edges", unit=how.unit)
            return Metric(support="ok", unit=how.unit, samples=2, delta=delta)
        if how.kind == "peak":
            peak = self.edges[-1]["values"].get(name)
            if peak is None:
                return Metric(support="failed", reason="not readable at the window's end", unit=how.unit)
            return Metric(support="ok", unit=how.unit, samples=1, maximum=peak)
        values = [values[name] for _, _, values in self.samples if name in values]
        if len(values) < MIN_SAMPLES:
            few = f"{len(values)} samples in the window, a mean needs {MIN_SAMPLES}"
            return Metric(support="ok", reason=few, unit=how.unit, samples=len(values))
        return Metric(
            support="ok",
            unit=how.unit,
            samples=len(values),
            mean=sum(values) / len(values),
            minimum=min(values),
            maximum=max(values),
        )

    def _ask(self, command: str) -> dict[str, Any] | None:
        if self.process is None or self.process.stdin is None:
            return None
        try:
            self.process.stdin.write(command.encode() + b"\n")
        except OSError:
            self._give_up()
            return None
        return self._receive(_ANSWER_S)

    def _receive(self, timeout_s: float) -> dict[str, Any] | None:
        """The sampler's next answer; after ``timeout_s`` or at its end the sampler is given up."""
        deadline = time.monotonic() + timeout_s
        while b"\n" not in self._buffer:
            if self.process is None or self.process.stdout is None:
                return None
            descriptor = self.process.stdout.fileno()
            ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
            chunk = os.read(descriptor, 1 << 16) if ready else b""
            if not chunk:
                self._give_up()
                return None
            self._buffer += chunk
        row, _, self._buffer = self._buffer.partition(b"\n")
        answer: dict[str, Any] = json.loads(row)
        return answer

    def _give_up(self) -> None:
        self.reason = DIED
        self._stop(patience_s=0.0)

    def _stop(self, patience_s: float = 1.0) -> None:
        """End the child by closing its stdin, else by a signal; always reap it."""
        process, self.process = self.process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            process.wait(patience_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
