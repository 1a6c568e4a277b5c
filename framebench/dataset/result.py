"""A result: all trials of one contender in one case on one host, and what they say. What failed is one too."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from framebench.dataset.device_share import Utilization
from framebench.language import N_
from framebench.statistics.interval import Estimate
from harness.record import Case, Contender, ImageRef, Memory, Parity, Protocol, Record, TrialKind

NOT_TIMED = "not timed"
NOT_RUN = N_("no timing trial has been run")
SET_ASIDE = "noisy trials set aside"


@dataclass(frozen=True, slots=True)
class FirstSteps:
    """Median time of the first step (trace and compile) in ns by state of the compile cache, and trials."""

    cold_ns: float | None
    warm_ns: float | None
    cold_trials: int
    warm_trials: int


@dataclass(frozen=True, slots=True)
class LearningSummary:
    """Over the timed trials that learned: an accuracy is a share, ``reached`` of ``trials`` got to the target.

    ``epochs_to_target`` (median) and ``ns_to_target`` describe only those that reached it.
    """

    measure: str
    target: float
    final_score: Estimate
    reached: int
    trials: int
    epochs_to_target: float | None
    ns_to_target: Estimate | None


@dataclass(frozen=True, slots=True)
class LatencySummary:
    """Time of one step, synchronised after each, in ns: geometric means over trials of each trial's quantile.

    Intervals are bootstrapped from ``seed``, which follows from the result's id, and null below ten trials. p99
    is null unless every trial has the steps for it. ``steps`` counts those of all trials.
    """

    steps: int
    p50: Estimate
    p90: Estimate
    p95: Estimate
    p99: Estimate | None
    seed: int


@dataclass(frozen=True, slots=True)
class Result:
    """All trials of one contender in one case on one host with one image, work hash and protocol.

    ``time_ns`` (wall time of one step), ``throughput`` (``unit`` per second) and ``cpu_ns`` (CPU time of one step)
    rest on ``timed``, the valid timing trials (without those on a busy host, where three quiet ones remain);
    null when there is none, and then ``status`` and ``reason`` say why. ``step_ns`` has one median block time
    per step for each of ``timed``. ``ranked`` is false where ``unranked_because`` gives the reason.
    ``utilization`` says how much of the device that is; null without a time or without products.
    ``superseded``: a newer result of the same contender exists. ``version`` is the image's, e.g.
    ``2.20.0-cpu-py311``, where the dataset has the contender in several images; null where the name says enough.
    ``edition`` is empty for what was measured as the newest results of its case were (``dataset.editions``).
    """

    id: str
    host_id: str
    executor: str
    case: Case
    contender: Contender
    image: ImageRef
    protocol: Protocol
    work_hash: str
    git_commit: str | None
    dirty: bool | None
    container: bool
    started_utc: str
    trials: dict[TrialKind, tuple[Record, ...]]
    timed: tuple[Record, ...]
    failures: tuple[Record, ...]
    step_ns: tuple[float, ...]
    status: str
    reason: str | None
    mend: str | None
    time_ns: Estimate | None
    throughput: Estimate | None
    cpu_ns: Estimate | None
    wait_share: float | None
    flops_per_step: int | None
    latency: LatencySummary | None
    memory: Memory | None
    first_steps: FirstSteps | None
    parity: Parity | None
    parity_trial: Record | None
    learning: LearningSummary | None
    flags: dict[str, int]
    unranked_because: str | None
    utilization: Utilization | None
    superseded: bool = False
    version: str | None = None
    edition: str = ""

    @property
    def label(self) -> str:
        """The contender, with the version where the dataset has several: ``tensorflow-eager@2.20.0-cpu-py311``."""
        return f"{self.contender.slug}@{self.version}" if self.version else self.contender.slug

    @property
    def ranked(self) -> bool:
        """Whether the result may take a place in a ranking."""
        return self.unranked_because is None

    @property
    def latest(self) -> Record:
        """The newest trial that says most about the environment: timed if there is one."""
        return self.timed[-1] if self.timed else max(self.records, key=moment)

    @property
    def unit(self) -> str:
        """What a step counts: ``samples``, ``images``, ``tokens``, ``calls``."""
        timing = self.latest.timing
        return timing.unit if timing else "samples"

    @property
    def flops_causal_per_step(self) -> int | None:
        """Work per step where attention computes only what a causal mask leaves; null where there is no mask."""
        timing = self.latest.timing
        return timing.flops_causal_per_step if timing else None

    @property
    def records(self) -> list[Record]:
        """Every trial of every kind, oldest first."""
        return sorted((record for trials in self.trials.values() for record in trials), key=moment)


def log_times(result: Result) -> dict[tuple[str, int], float]:
    """ln of the time of one step by ``(campaign id, round)``; the mean where a round was run twice."""
    cells: dict[tuple[str, int], list[float]] = defaultdict(list)
    for record, value in zip(result.timed, np.log(result.step_ns).tolist(), strict=True):
        cells[record.campaign_id, record.round].append(value)
    return {cell: sum(values) / len(values) for cell, values in cells.items()}


def moment(record: Record) -> tuple[str, str]:
    """Sorts trials by time."""
    return record.started_utc, record.trial_id
