"""One result from its trials: what was timed, what failed, what may be ranked."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from statistics import median

from framebench.dataset import quiet
from framebench.dataset.device_share import MeasuredCeiling, Place, utilization
from framebench.dataset.result import (
    NOT_RUN,
    NOT_TIMED,
    SET_ASIDE,
    FirstSteps,
    LatencySummary,
    LearningSummary,
    Result,
)
from framebench.records.identity import result_id
from framebench.records.trial_figures import cpu_step_ns, flags_of, phase_ns, step_ns, wait_share
from framebench.statistics.bootstrap import quantile_interval
from framebench.statistics.interval import mean_interval, throughput_interval, time_interval
from harness.flags import EMULATED, OWN_BUILD, STAND_IN, UNRANKED, stand_in
from harness.record import Outcome, Record, TrialKind


def summarise(trials: list[Record], gate: Record | None, measured: dict[Place, MeasuredCeiling]) -> Result:
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
        reason=outcome.reason if outcome else NOT_RUN,
        mend=outcome.mend if outcome else "framebench run",
        time_ns=time_ns,
        throughput=throughput_interval(steps, timing.units_per_step) if timing else None,
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
    """Those that count: see ``dataset.quiet``."""
    counted = quiet.set_aside([*zip(timed, steps, strict=True)], lambda pair: quiet.disturbed(pair[0]))
    return [record for record, _ in counted], [step for _, step in counted]


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
    """Why the result takes no place; noisy when at least half of its timed trials were, emulated when any was,
    and never with somebody's own build or a driver that stands in for a GPU."""
    if outcome is None or outcome.status != "ok":
        return outcome.status.replace("_", " ") if outcome else NOT_TIMED
    if gate is None or gate.parity is None or not gate.parity.passed:
        return "parity not checked"
    if any(record.image.own_builds for record in timed):
        return OWN_BUILD
    if any(record.hardware and stand_in(record.hardware) for record in timed):
        return STAND_IN
    if any(EMULATED in record.flags for record in timed):
        return EMULATED
    if quiet.too_busy(sum(map(quiet.disturbed, timed)), len(timed)):
        return UNRANKED
    return None


def _any_dirty(trials: list[Record]) -> bool | None:
    states = {record.provenance.dirty for record in trials}
    return True if True in states else (None if None in states else False)


def _latency(timed: list[Record]) -> LatencySummary | None:
    """Each quantile over trials; p99 only where every trial has it."""
    latencies = [record.timing.latency for record in timed if record.timing and record.timing.latency]
    if not latencies:
        return None
    seed = int(hashlib.sha256(result_id(timed[-1]).encode()).hexdigest()[:8], 16)
    p99 = [latency.p99_ns for latency in latencies if latency.p99_ns is not None]
    return LatencySummary(
        steps=sum(latency.steps for latency in latencies),
        p50=quantile_interval([latency.p50_ns for latency in latencies], seed),
        p90=quantile_interval([latency.p90_ns for latency in latencies], seed),
        p95=quantile_interval([latency.p95_ns for latency in latencies], seed),
        p99=quantile_interval(p99, seed) if len(p99) == len(latencies) else None,
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
    learned = [record.learning for record in timed if record.learning]
    if not learned:
        return None
    epochs = [one.epochs_to_target for one in learned if one.epochs_to_target is not None]
    walls = [float(one.wall_ns_to_target) for one in learned if one.wall_ns_to_target is not None]
    return LearningSummary(
        measure=learned[-1].measure,
        target=learned[-1].target,
        final_score=mean_interval([one.final_score for one in learned]),
        reached=len(epochs),
        trials=len(learned),
        epochs_to_target=median(epochs) if epochs else None,
        ns_to_target=time_interval(walls) if walls else None,
    )
