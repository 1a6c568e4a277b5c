"""How long a trial will take: from records of the same or similar trials, else from its FLOPs and the protocol."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import cache
from statistics import median

import msgspec

from framebench.records.identity import protocol_hash
from harness import workloads
from harness.record import Case, Contender, Protocol, Record, TrialKind

# Process start, imports, building the model and the first step, where nothing like it was ever measured.
_STARTUP_S = 4.0

# Start and end of the container or process, which a record's own duration does not hold.
_OUTSIDE_S = 0.7

# FLOP/s that are assumed where nothing like a trial was ever measured: of one core, and of one GPU. Guesses on the
# low side, so that a plan rather promises too long a time; the first record takes their place.
ASSUMED_PER_CORE = 25e9
ASSUMED_PER_GPU = 10e12

# What a warm-up takes beyond its least time, until its windows agree.
_AGREEING_S = 1.5

# Finding the block size.
_BLOCK_SIZE_S = 1.0

# Two windows in which a GPU's clock and temperature agree, the least.
_SETTLING_S = 4.5

# Steps that a trial does beside those of the clock: the first ones; the gate's, most of them in float64.
_STEPS = {"parity": 40}
_FEW_STEPS = 5


Rate = Callable[[Case], float]
"""FLOP/s at which the steps of a case are taken to run."""


def assumed_rate(case: Case) -> float:
    """That of the whole device, where nothing is known of it."""
    return case.device_count * ASSUMED_PER_GPU if case.device == "gpu" else case.cores * ASSUMED_PER_CORE


class Estimator:
    """Median seconds a trial took, from the most to the least similar trials known; ``rate`` where none is."""

    def __init__(self, records: Iterable[Record], rate: Rate = assumed_rate) -> None:
        # of each case once: every look at a workload reads its folder
        self._step = cache(lambda case: step_seconds(case, rate))
        self._gate = cache(_at_the_gate)
        self._epoch = cache(_epoch_steps)
        self._seconds: dict[tuple[str, ...], list[float]] = defaultdict(list)
        for record in records:
            self.learn(record)

    def learn(self, record: Record) -> None:
        """Take a finished trial into account; one that failed says nothing about how long it takes."""
        if record.outcome.status not in ("ok", "unsupported"):
            return
        for key in _keys(record.kind, record.case, record.contender, protocol_hash(record.protocol)):
            self._seconds[key].append(record.duration_ns / 1e9)

    def knows(self, kind: TrialKind, case: Case, contender: Contender, protocol: Protocol) -> bool:
        """Whether this very trial was measured before."""
        return bool(self._seconds.get(_keys(kind, case, contender, protocol_hash(protocol))[0]))

    def seconds(self, kind: TrialKind, case: Case, contender: Contender, protocol: Protocol) -> float:
        """Expected wall seconds of one trial, its process start included."""
        for alike, key in enumerate(_keys(kind, case, contender, protocol_hash(protocol))):
            if self._seconds[key]:
                known = median(self._seconds[key]) + _OUTSIDE_S
                # the first key is this very trial; trials of other work say what a start costs, and no more
                return known if alike == 0 else max(known, self._assumed(kind, case, protocol))
        if kind == "timing":
            # A memory trial is the same up to the first step. The warm-up rule needs its window twice over, and
            # finding the block size about as long as the blocks.
            start = self.seconds("memory", case, contender, protocol)
            return start + self._on_the_clock(case, protocol)
        return self._assumed(kind, case, protocol)

    def _assumed(self, kind: TrialKind, case: Case, protocol: Protocol) -> float:
        """From the FLOPs of a step; the gate's are of a smaller size."""
        step = self._step(self._gate(case) if kind == "parity" else case)
        if kind == "timing":
            return _STARTUP_S + _FEW_STEPS * step + self._on_the_clock(case, protocol)
        return _STARTUP_S + (0.0 if kind == "ceiling" else _STEPS.get(kind, _FEW_STEPS) * step)

    def _on_the_clock(self, case: Case, protocol: Protocol) -> float:
        """Seconds of warm-up, blocks, latencies and learning."""
        step = self._step(case)
        least = min(4 * protocol.warmup_min_s, protocol.warmup_min_s + _AGREEING_S)
        warm = max(least, 2 * protocol.warmup_window * step)
        blocks = max(protocol.measure_s + _BLOCK_SIZE_S, protocol.measure_blocks * step)
        watched = 2 * protocol.observer_blocks * max(protocol.block_ms / 1000, step)
        if case.device == "gpu" and protocol.observer_blocks:
            watched += _SETTLING_S
        if case.task != "train":
            watched += protocol.latency_steps * step
        return (
            min(protocol.warmup_max_s, warm)
            + min(max(protocol.measure_max_s, step), blocks)
            + watched
            + protocol.learning_epochs * self._epoch(case) * step
        )


def _at_the_gate(case: Case) -> Case:
    """The case at the size at which the gate looks at it."""
    try:
        size = workloads.get(case.workload).gate.sizes[case.preset]
    except Exception:  # as in step_seconds
        return case
    return msgspec.structs.replace(case, preset=size.preset or case.preset, batch=size.batch)


def _epoch_steps(case: Case) -> int:
    """Steps that a look at what was learned takes; 0 where nothing is."""
    try:
        workload = workloads.get(case.workload)
        rule = workload.learning if case.task == "train" else None
        return rule.steps(workload.presets[case.preset], case.batch) if rule else 0
    except Exception:  # as in step_seconds
        return 0


def step_seconds(case: Case, rate: Rate = assumed_rate) -> float:
    """What a step would take at such a rate; 0 where the workload does not say its FLOPs."""
    try:
        workload = workloads.get(case.workload)
        flops = workload.flops(workload.presets[case.preset], case.batch, case.task)
    except Exception:  # the plan says that the folder is broken, or which size it lacks
        return 0.0
    return flops / rate(case)


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
