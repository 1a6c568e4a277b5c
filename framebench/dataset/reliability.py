"""How many trials ended well, by stack, by host and by month."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from framebench.records.start_time import started
from framebench.statistics.binomial import clopper_pearson
from harness.record import Record

UNKNOWN_MONTH = "?"


@dataclass(frozen=True, slots=True)
class Reliability:
    """Trials of one stack, host or month.

    ``share`` of ``trials`` ended ok, with its exact 95 % interval ``low`` to ``high``; null without trials.
    ``failures`` counts the other outcomes by status, most frequent first. ``unsupported`` trials are in none of these:
    that a framework lacks something is an answer.
    """

    name: str
    trials: int
    ok: int
    share: float | None
    low: float | None
    high: float | None
    failures: dict[str, int]
    unsupported: int


def by_stack(records: Iterable[Record]) -> list[Reliability]:
    """One row per stack, by name."""
    return _by(records, lambda record: record.contender.stack)


def by_host(records: Iterable[Record]) -> list[Reliability]:
    """One row per host, by name."""
    return _by(records, lambda record: record.provenance.host_id)


def by_month(records: Iterable[Record]) -> list[Reliability]:
    """One row per month (``2026-11``, UTC), oldest first; trials without a real date under ``?``."""
    return _by(records, _month)


def _month(record: Record) -> str:
    moment = started(record)
    return UNKNOWN_MONTH if moment is None else moment.isoformat()[:7]


def _by(records: Iterable[Record], key: Callable[[Record], str]) -> list[Reliability]:
    outcomes: dict[str, Counter[str]] = defaultdict(Counter)
    for record in records:
        outcomes[key(record)][record.outcome.status] += 1
    return [_row(name, outcomes[name]) for name in sorted(outcomes)]


def _row(name: str, outcomes: Counter[str]) -> Reliability:
    failures = dict(sorted(outcomes.items(), key=lambda one: (-one[1], one[0])))
    ok, unsupported = failures.pop("ok", 0), failures.pop("unsupported", 0)
    trials = ok + sum(failures.values())
    low, high = clopper_pearson(ok, trials) if trials else (None, None)
    return Reliability(name, trials, ok, ok / trials if trials else None, low, high, failures, unsupported)
