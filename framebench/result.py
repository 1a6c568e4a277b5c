"""From records to results: all trials of one contender in one case on one host, and what they say.

What failed is a result too and keeps its reason.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import median

import numpy as np

from framebench.roofline import MeasuredCeiling, Place, Utilization, ceilings, utilization
from framebench.statistics.bootstrap import quantile_interval
from framebench.statistics.comparison import MIN_ROUNDS
from framebench.statistics.interval import Estimate, mean_interval, throughput_interval, time_interval
from framebench.statistics.noise import Noise, aa_noise
from framebench.trial_figures import cpu_step_ns, flags_of, phase_ns, step_ns, wait_share
from harness.flags import EMULATED, UNRANKED
from harness.record import (
    Case,
    Contender,
    ImageRef,
    Memory,
    Outcome,
    Parity,
    Protocol,
    Record,
    TrialKind,
    result_id,
    result_key,
)

NOT_TIMED = "not timed"
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
    """Over the timed trials that learned: accuracy is a share, ``reached`` of ``trials`` got to the target.

    ``epochs_to_target`` (median) and ``ns_to_target`` describe only those that reached it.
    """

    target_accuracy: float
    final_accuracy: Estimate
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

    ``time_ns`` (wall time of one step), ``throughput`` (samples/s) and ``cpu_ns`` (CPU time of one step)
    rest on ``timed``, the valid timing trials (without those on a busy host, where three quiet ones remain);
    null when there is none, and then ``status`` and ``reason`` say why. ``step_ns`` has one median block time
    per step for each of ``timed``. ``ranked`` is false where ``unranked_because`` gives the reason.
    ``utilization`` says how much of the device that is; null without a time.
    ``superseded``: a newer result of the same contender exists. ``version`` is the image's, e.g.
    ``2.20.0-cpu-py311``, where the dataset has the contender in several images; null where the name says enough.
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
        return self.timed[-1] if self.timed else max(self.records, key=_moment)

    @property
    def records(self) -> list[Record]:
        """Every trial of every kind, oldest first."""
        return sorted((record for trials in self.trials.values() for record in trials), key=_moment)


def results(records: Iterable[Record]) -> list[Result]:
    """One result per key, failures included, sorted by host, case, contender, image and time.

    A parity gate counts for every result of the same contender, case, image and work hash on its host,
    whatever its protocol, and for the contender's A/A twin.
    """
    by_key: dict[tuple[str, ...], list[Record]] = defaultdict(list)
    gates: dict[tuple[str, ...], Record] = {}
    ordered = sorted(records, key=_moment)
    measured = ceilings(ordered)
    for record in ordered:
        by_key[result_key(record)].append(record)
        if record.kind == "parity":
            gates[_gate_key(record)] = record  # the newest stands
    found = [_result(trials, gates.get(_gate_key(trials[0])), measured) for trials in by_key.values()]
    newest: dict[tuple[str, ...], Result] = {}
    for result in sorted(found, key=lambda result: result.started_utc):
        newest[_place(result)] = result
    images: dict[tuple[str, str], set[str | None]] = defaultdict(set)
    for result in newest.values():
        images[result.contender.slug, result.case.device].add(result.image.name)
    marked = (
        replace(
            result,
            superseded=newest[_place(result)] is not result,
            version=_version(result) if len(images[result.contender.slug, result.case.device]) > 1 else None,
        )
        for result in found
    )
    return sorted(marked, key=lambda r: (*_place(r), r.started_utc, r.id))


def host_noises(found: Sequence[Result]) -> dict[str, Noise]:
    """A/A noise of every host that timed a contender under two names."""
    originals = {_pair_key(result): result for result in found if not result.contender.twin}
    pairs: dict[str, list[np.ndarray]] = defaultdict(list)
    for twin in found:
        original = originals.get(_pair_key(twin)) if twin.contender.twin else None
        if original is None:
            continue
        one, other = log_times(twin), log_times(original)
        campaigns: dict[str, list[float]] = defaultdict(list)
        for key in sorted(one.keys() & other.keys()):
            campaigns[key[0]].append(one[key] - other[key])
        pairs[twin.host_id].extend(np.array(differences) for differences in campaigns.values())
    noises = {host: aa_noise(arrays) for host, arrays in pairs.items()}
    return {host: noise for host, noise in noises.items() if noise is not None}


def host_noise(records: Iterable[Record], host_id: str) -> float | None:
    """A/A noise of one host as a limit of |ln ratio|; null when it has no A/A pair."""
    noise = host_noises(results(records)).get(host_id)
    return noise.limit if noise else None


def log_times(result: Result) -> dict[tuple[str, int], float]:
    """ln of the time of one step by ``(campaign id, round)``; the mean where a round was run twice."""
    cells: dict[tuple[str, int], list[float]] = defaultdict(list)
    for record, value in zip(result.timed, np.log(result.step_ns).tolist(), strict=True):
        cells[record.campaign_id, record.round].append(value)
    return {cell: sum(values) / len(values) for cell, values in cells.items()}


# --- keys ----------------------------------------------------------------------------------------


def _moment(record: Record) -> tuple[str, str]:
    return record.started_utc, record.trial_id


def _image_identity(image: ImageRef) -> str:
    return image.config_digest or image.lock_sha256 or ""


def _gate_key(record: Record) -> tuple[str, ...]:
    return (
        record.provenance.host_id,
        record.provenance.executor,
        record.case.path,
        record.contender.slug.removesuffix("-twin"),
        _image_identity(record.image),
        record.provenance.work_hash,
    )


def _pair_key(result: Result) -> tuple[str, ...]:
    """Equal for a contender and its twin, and for nothing else."""
    return (
        result.host_id,
        result.executor,
        result.case.path,
        result.contender.slug.removesuffix("-twin"),
        _image_identity(result.image),
        result.work_hash,
        result.protocol.name,
    )


def _place(result: Result) -> tuple[str, ...]:
    """Where a result stands; of several (other harness, rebuilt image) the newest is compared."""
    return (
        result.host_id,
        result.case.path,
        result.contender.slug,
        result.image.name or "",
        result.executor,
        result.protocol.name,
    )


def _version(result: Result) -> str | None:
    """What the image's name says beyond the stack's."""
    return result.image.name.removeprefix(f"{result.contender.stack}-") if result.image.name else None


# --- one result ----------------------------------------------------------------------------------


def _result(trials: list[Record], gate: Record | None, measured: dict[Place, MeasuredCeiling]) -> Result:
    """``trials`` of one key, oldest first; ``gate`` is the parity trial that counts for them."""
    kinds: dict[TrialKind, list[Record]] = defaultdict(list)
    for record in trials:
        kinds[record.kind].append(record)
    timed: list[Record] = []
    steps: list[float] = []
    for record in kinds["timing"]:
        step = step_ns(record)
        if record.outcome.status == "ok" and step is not None:
            timed.append(record)
            steps.append(step)
    every = {record.trial_id for record in timed}
    timed, steps = _quiet(timed, steps)
    set_aside = every - {record.trial_id for record in timed}
    last = timed[-1] if timed else trials[-1]
    outcome = _outcome(kinds, timed, gate)
    timing = last.timing if timed else None
    flags = Counter(
        flag for record in trials if record.trial_id not in set_aside for flag in flags_of(record)
    )
    if set_aside:
        flags[SET_ASIDE] = len(set_aside)
    cpu = [value for value in map(cpu_step_ns, timed) if value]
    waits = [value for value in map(wait_share, timed) if value is not None]
    time_ns = time_interval(steps) if steps else None
    return Result(
        id=result_id(last),
        host_id=last.provenance.host_id,
        executor=last.provenance.executor,
        case=last.case,
        contender=last.contender,
        image=last.image,
        protocol=last.protocol,
        work_hash=last.provenance.work_hash,
        git_commit=last.provenance.git_commit,
        dirty=_any_dirty(trials),
        container=last.provenance.executor == "docker" or last.image.config_digest is not None,
        started_utc=trials[-1].started_utc,
        trials={kind: tuple(records) for kind, records in kinds.items() if records},
        timed=tuple(timed),
        failures=tuple(record for record in trials if record.outcome.status != "ok"),
        step_ns=tuple(steps),
        status=outcome.status if outcome else NOT_TIMED,
        reason=outcome.reason if outcome else "no timing trial has been run",
        mend=outcome.mend if outcome else "framebench run",
        time_ns=time_ns,
        throughput=throughput_interval(steps, timing.samples_per_step) if timing else None,
        cpu_ns=time_interval(cpu) if cpu else None,
        wait_share=median(waits) if waits else None,
        flops_per_step=timing.flops_per_step if timing else None,
        latency=_latency(timed),
        memory=next((r.memory for r in reversed(kinds["memory"]) if r.memory is not None), None),
        first_steps=_first_steps(kinds),
        parity=gate.parity if gate else None,
        parity_trial=gate,
        learning=_learning(timed),
        flags=dict(sorted(flags.items())),
        unranked_because=_unranked(outcome, timed, gate),
        utilization=utilization(last, time_ns.value, measured) if time_ns else None,
    )


def _quiet(timed: list[Record], steps: list[float]) -> tuple[list[Record], list[float]]:
    """Without the trials in which others took the cores, if three quiet ones remain; else all of them.

    What decides is what others did, never how fast the trial was.
    """
    quiet = [
        (record, step) for record, step in zip(timed, steps, strict=True) if UNRANKED not in flags_of(record)
    ]
    if len(quiet) < MIN_ROUNDS:
        return timed, steps
    return [record for record, _ in quiet], [step for _, step in quiet]


def _outcome(
    kinds: dict[TrialKind, list[Record]], timed: list[Record], gate: Record | None
) -> Outcome | None:
    """What to say of the result as a whole; null when nothing failed and nothing was timed."""
    if gate is not None and gate.outcome.status == "not_comparable":
        return gate.outcome
    if timed:
        return timed[-1].outcome
    if kinds["timing"]:
        return kinds["timing"][-1].outcome
    others = [*kinds["memory"], *kinds["cold-start"], *([gate] if gate else kinds["parity"])]
    return next((record.outcome for record in reversed(others) if record.outcome.status != "ok"), None)


def _unranked(outcome: Outcome | None, timed: list[Record], gate: Record | None) -> str | None:
    """Why the result takes no place; noisy when at least half of its timed trials were, emulated when any was."""
    if outcome is None or outcome.status != "ok":
        return outcome.status.replace("_", " ") if outcome else NOT_TIMED
    if gate is None or gate.parity is None or not gate.parity.passed:
        return "parity not checked"
    if any(EMULATED in record.flags for record in timed):
        return EMULATED
    if 2 * sum(UNRANKED in flags_of(record) for record in timed) >= len(timed):
        return UNRANKED
    return None


def _any_dirty(trials: list[Record]) -> bool | None:
    states = {record.provenance.dirty for record in trials}
    return True if True in states else (None if None in states else False)


def _latency(timed: list[Record]) -> LatencySummary | None:
    """Each quantile over trials; p99 only where every trial has it."""
    found = [record.timing.latency for record in timed if record.timing and record.timing.latency]
    if not found:
        return None
    seed = int(hashlib.sha256(result_id(timed[-1]).encode()).hexdigest()[:8], 16)
    p99 = [latency.p99_ns for latency in found if latency.p99_ns is not None]
    return LatencySummary(
        steps=sum(latency.steps for latency in found),
        p50=quantile_interval([latency.p50_ns for latency in found], seed),
        p90=quantile_interval([latency.p90_ns for latency in found], seed),
        p95=quantile_interval([latency.p95_ns for latency in found], seed),
        p99=quantile_interval(p99, seed) if len(p99) == len(found) else None,
        seed=seed,
    )


def _first_steps(kinds: dict[TrialKind, list[Record]]) -> FirstSteps | None:
    times: dict[str, list[int]] = {"cold": [], "warm": []}
    for record in (*kinds["cold-start"], *kinds["timing"]):
        first = phase_ns(record, "first_step")
        if first is not None and record.outcome.status == "ok":
            times[record.cache_state].append(first)
    cold, warm = times["cold"], times["warm"]
    if not cold and not warm:
        return None
    return FirstSteps(median(cold) if cold else None, median(warm) if warm else None, len(cold), len(warm))


def _learning(timed: list[Record]) -> LearningSummary | None:
    found = [record.learning for record in timed if record.learning]
    if not found:
        return None
    epochs = [one.epochs_to_target for one in found if one.epochs_to_target is not None]
    walls = [float(one.wall_ns_to_target) for one in found if one.wall_ns_to_target is not None]
    return LearningSummary(
        target_accuracy=found[-1].target_accuracy,
        final_accuracy=mean_interval([one.final_accuracy for one in found]),
        reached=len(epochs),
        trials=len(found),
        epochs_to_target=median(epochs) if epochs else None,
        ns_to_target=time_interval(walls) if walls else None,
    )
