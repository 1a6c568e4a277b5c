"""How long a trial will take: from records of the same or similar trials, else from the protocol."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from statistics import median

from harness.record import Case, Contender, Protocol, Record, TrialKind

# Process start, imports, building the model and the first step, where nothing like it was ever measured.
_STARTUP_S = 4.0

# Start and end of the container or process, which a record's own duration does not hold.
_OUTSIDE_S = 0.7


class Estimator:
    """Median seconds a trial took, from the most to the least similar trials known."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._seconds: dict[tuple[str, ...], list[float]] = defaultdict(list)
        for record in records:
            self.learn(record)

    def learn(self, record: Record) -> None:
        """Take a finished trial into account; one that failed says nothing about how long it takes."""
        if record.outcome.status not in ("ok", "unsupported"):
            return
        for key in _keys(record.kind, record.case, record.contender, record.protocol.name):
            self._seconds[key].append(record.duration_ns / 1e9)

    def seconds(self, kind: TrialKind, case: Case, contender: Contender, protocol: Protocol) -> float:
        """Expected wall seconds of one trial, its process start included."""
        for key in _keys(kind, case, contender, protocol.name):
            if self._seconds[key]:
                return median(self._seconds[key]) + _OUTSIDE_S
        if kind == "timing":
            # A memory trial is the same up to the first step. The warm-up rule needs its window twice over, and
            # finding the block size about as long as the blocks.
            start = self.seconds("memory", case, contender, protocol)
            return start + min(protocol.warmup_max_s, 4 * protocol.warmup_min_s) + 2 * protocol.measure_s
        return _STARTUP_S


def _keys(kind: str, case: Case, contender: Contender, protocol: str) -> list[tuple[str, ...]]:
    who = f"{contender.stack}-{contender.mode}-{contender.variant}"
    compiler = contender.stack.split("-")[-1]  # Keras on PyTorch compiles for as long as PyTorch does
    keys = [
        (kind, protocol, case.path, who),
        (kind, protocol, case.workload, case.task, who),
        (kind, protocol, case.workload, who),
        (kind, protocol, contender.stack, contender.mode),
        (kind, protocol, compiler, contender.mode, "backend"),
        (kind, protocol),
    ]
    if kind != "timing":  # only the clock follows the protocol
        keys += [
            (kind, case.workload, who),
            (kind, contender.stack, contender.mode),
            (kind, compiler, contender.mode, "backend"),
            (kind,),
        ]
    return keys
