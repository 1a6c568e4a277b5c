"""A record in the making: whatever happens to the trial, what was learnt so far can be written."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from harness.record import (
    Calibration,
    Canary,
    Ceiling,
    GatePart,
    Hardware,
    Learning,
    Memory,
    Outcome,
    Parity,
    Phase,
    Record,
    Settings,
    Sidecar,
    Software,
    Telemetry,
    Timing,
    TrialSpec,
)


class Draft:
    """Fields of a ``Record`` as they become known; ``record(outcome)`` freezes them."""

    def __init__(self, spec: TrialSpec) -> None:
        self.spec = spec
        self.started = datetime.now(UTC)
        self.start_ns = time.perf_counter_ns()
        self.workload_config_sha256: str | None = None
        self.software: Software | None = None
        self.hardware: Hardware | None = None
        self.settings: Settings | None = None
        self.canaries: list[Canary] = []
        self.parity: Parity | None = None
        self.phases: list[Phase] = []
        self.shape_before: GatePart | None = None
        self.shape_after: GatePart | None = None
        self.kernels: dict[str, str] = {}
        self.timing: Timing | None = None
        self.learning: Learning | None = None
        self.memory: Memory | None = None
        self.telemetry: Telemetry | None = None
        self.calibration: Calibration | None = None
        self.ceiling: Ceiling | None = None
        self.flags: list[str] = []
        self.series: dict[str, Any] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time a phase; one that fails is recorded too."""
        start, cpu_start = time.perf_counter_ns(), time.process_time_ns()
        try:
            yield
        finally:
            wall_ns, cpu_ns = time.perf_counter_ns() - start, time.process_time_ns() - cpu_start
            self.phases.append(Phase(name=name, wall_ns=wall_ns, cpu_ns=cpu_ns))

    def record(self, outcome: Outcome) -> Record:
        """The immutable record."""
        spec = self.spec
        return Record(
            written_by="harness",
            kind=spec.kind,
            trial_id=spec.trial_id,
            campaign_id=spec.campaign_id,
            round=spec.round,
            seed=spec.seed,
            started_utc=self.started.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            duration_ns=time.perf_counter_ns() - self.start_ns,
            case=spec.case,
            contender=spec.contender,
            protocol=spec.protocol,
            image=spec.image,
            provenance=spec.provenance,
            outcome=outcome,
            cache_state="cold" if spec.kind == "cold-start" else spec.cache_state,
            workload_config_sha256=self.workload_config_sha256,
            software=self.software,
            hardware=self.hardware,
            settings=self.settings,
            canaries=self.canaries,
            parity=self.parity,
            phases=self.phases,
            shape_before=self.shape_before,
            shape_after=self.shape_after,
            kernels=self.kernels,
            timing=self.timing,
            learning=self.learning,
            memory=self.memory,
            telemetry=self.telemetry,
            calibration=self.calibration,
            ceiling=self.ceiling,
            flags=self.flags,
            sidecar=sidecar(self.series),
        )


def sidecar(series: dict[str, Any]) -> Sidecar | None:
    """Gzip-compressed JSON with its hash; no time stamp inside, so equal series give equal bytes."""
    if not series:
        return None
    data = gzip.compress(json.dumps(series, separators=(",", ":")).encode(), mtime=0)
    return Sidecar(sha256=hashlib.sha256(data).hexdigest(), inline=base64.b64encode(data).decode())
