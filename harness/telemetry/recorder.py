"""The parent's side of telemetry: start the sampler, mark windows' edges, keep what lies inside.

Telemetry never fails a trial: a sampler that dies or hangs is ended, and the record says so.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from harness import replicas
from harness.record import Telemetry as TelemetryRecord
from harness.telemetry.gpu import gpu_telemetry
from harness.telemetry.source import Capability
from harness.telemetry.window import Window

DIED = "sampler died"
BLOCKS, REST_BEFORE, REST_AFTER = "blocks", "rest before", "rest after"
_START_S = 20.0
_ANSWER_S = 5.0
_KILLED_S = 5.0


class Telemetry:
    """Context manager around one sampler; ``window()`` marks a part of the trial.

    Make it before the process is pinned: the sampler may run where the workload does not. ``start`` it when the
    framework is loaded, so that neither disturbs the other. Afterwards ``record()`` is what goes into the
    trial's record, ``series()`` into its sidecar; both are about the timed blocks.
    """

    def __init__(self, hz: float, command: list[str] | None = None) -> None:
        self.hz = hz
        self.command = command or [sys.executable, "-m", "harness.telemetry.sampler"]
        self.allowed = sorted(os.sched_getaffinity(0))
        self.process: subprocess.Popen[bytes] | None = None
        self.started = False
        self.capabilities: list[dict[str, Capability]] = []
        self.gpus: list[str] = []
        self.gpu_reason: str | None = None
        self.reason: str | None = None
        self.lost: dict[int, str] = {}
        self.windows: dict[str, Window] = {}
        self._buffer = b""

    def __enter__(self) -> Telemetry:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._stop()

    def start(self, gpus: Sequence[str] = (), gpu_reason: str | None = None) -> None:
        """Start the sampler and wait until it has asked every metric once.

        ``gpus`` are the GPUs to watch, by their names (``devices.cuda_devices``); without any, ``gpu_reason``
        says why (by default the sampler finds out).
        """
        self.started = True
        self.gpu_reason = gpu_reason
        options = [
            *(word for pid in (os.getpid(), *replicas.pids()) for word in ("--pid", str(pid))),
            "--hz",
            str(self.hz),
            "--cpus",
            ",".join(map(str, self.allowed)),
        ]
        for names in gpus:
            options += ["--gpu", names]
        try:
            self.process = subprocess.Popen(
                [*self.command, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
            )
        except OSError as error:
            self.reason = f"sampler did not start: {error.strerror}"
            return
        if (answer := self._receive(_START_S)) is not None:
            self.capabilities = [
                {name: Capability(*fields) for name, fields in source.items()} for source in answer["ready"]
            ]
            self.gpus = answer["gpus"]
            self.gpu_reason = gpu_reason or answer["gpu_reason"]

    @contextmanager
    def window(self, name: str = BLOCKS) -> Iterator[Window]:
        """A part of the trial. Edge readings are made outside it: their cost is not in any block."""
        if not self.started:
            self.start()
        window = self.windows[name] = Window(reason=self.reason)
        begin = self._ask("begin")
        window.start_ns = time.monotonic_ns()
        try:
            yield window
        finally:
            window.end_ns = time.monotonic_ns()
            end = self._ask("end") if begin is not None else None
            window.reason = self.reason
            if begin is not None and end is not None:
                window.edges = [begin["edge"], end["edge"]]
                window.keep(end["samples"])
                window.missed = end["missed"]
                window.sampler_cpu_ns = end["cpu_ns"]
                window.reason = self.reason = end["error"]
                self._note_losses(end["edge"]["lost"])

    def gpu_lost(self) -> str | None:
        """The driver's words if a GPU of this trial is gone; asks the sampler."""
        if self.gpus and not self.lost and (answer := self._ask("check")) is not None:
            self._note_losses(answer["lost"])
        return next(iter(self.lost.values()), None)

    def record(self, samples: int | None = None) -> TelemetryRecord:
        """Figures over the timed blocks, as far as the trial got. ``samples`` were processed in them."""
        window = self.windows.get(BLOCKS) or Window(reason=self.reason)
        rests = self.windows.get(REST_BEFORE), self.windows.get(REST_AFTER)
        process = self.capabilities[0] if self.capabilities else {}
        return TelemetryRecord(
            hz=self.hz,
            ticks=len(window.samples),
            missed_ticks=window.missed,
            dropped_ticks=window.dropped_ticks,
            window_ns=window.end_ns - window.start_ns,
            metrics={name: window.metric(0, name, how) for name, how in process.items()},
            reason=self.reason,
            gpus=[
                gpu_telemetry(
                    uuid, source, self.capabilities[source], window, rests, samples, self.lost.get(source)
                )
                for source, uuid in enumerate(self.gpus, start=1)
            ],
            gpu_reason=None if self.gpus else self.gpu_reason or self.reason,
            sampler_cpu_ns=window.sampler_cpu_ns,
        )

    def series(self) -> dict[str, Any] | None:
        """Samples over time, at most 240 points: ns since the window began, and each metric's values."""
        window = self.windows.get(BLOCKS)
        if window is None or not window.samples:
            return None
        series: dict[str, Any] = {"t_ns": window.times(), "metrics": window.series(0)}
        if self.gpus:
            series["gpus"] = [
                {"uuid_sha256": uuid, "metrics": window.series(source)}
                for source, uuid in enumerate(self.gpus, start=1)
            ]
        return series

    def _note_losses(self, lost: list[str | None]) -> None:
        self.lost |= {source: words for source, words in enumerate(lost) if words is not None}

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
        """End the child by closing its stdin, else by a signal; reap it."""
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
            with contextlib.suppress(
                subprocess.TimeoutExpired
            ):  # stuck in a driver: a signal does not reach it
                process.wait(_KILLED_S)
