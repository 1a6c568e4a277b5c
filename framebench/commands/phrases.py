"""The words that several commands share: times, trials, outcomes, intervals."""

from __future__ import annotations

from framebench.campaign.plan import Planned
from framebench.pages import flags, words
from framebench.records.trial_figures import flags_of, step_ns
from framebench.statistics.interval import Estimate
from harness.record import Record


def minutes(seconds: float) -> str:
    """``95`` -> ``1 min 35 s``; ``8100`` -> ``2 h 15 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def describe(trial: Planned) -> str:
    """One line that names a trial."""
    where = f"round {trial.round} " if trial.round else ""
    return f"{where}{trial.kind} {trial.case.path} {trial.contender.slug}"


def outcome_line(record: Record) -> str:
    """What came of a trial, in a few words."""
    outcome = record.outcome
    if outcome.status != "ok":
        why, *more = (outcome.reason or "").splitlines() or [""]
        return f"{outcome.status}: {why}{' …' if more else ''}".rstrip(": ")
    step = step_ns(record)
    if record.timing and step:
        found = "; ".join(flags.word(flag) for flag in flags_of(record))
        rate = record.timing.units_per_step / step * 1e9
        return f"{rate:,.0f} {words.rate_unit(record.timing.unit)}" + (f"  [{found}]" if found else "")
    return "ok"


def interval(estimate: Estimate, form: str) -> str:
    """``value [low, high]``, each formatted by ``form``."""
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:{form}} (one trial, no interval)"
    return f"{estimate.value:{form}} [{estimate.low:{form}}, {estimate.high:{form}}]"
