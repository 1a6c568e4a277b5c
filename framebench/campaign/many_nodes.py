"""A whole suite on machines that need not be there: how long, and how many hours of what, as a range.

Each machine measures one part at a time, as `run --shard` splits them. Where the very trial was measured, that is how
long it takes; else the range is from steps at the data sheet's peak to steps at the rate that is assumed of any device.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from framebench.campaign import plan
from framebench.campaign.estimate import Estimator, Rate, assumed_rate
from framebench.campaign.plan import Planned
from framebench.campaign.shards import split
from framebench.campaign.side_by_side import at_a_time
from framebench.campaign.suites import Suite
from framebench.errors import UserError
from framebench.executors.machine import Machine
from harness import roofline
from harness.record import Case, Contender, Record


class Hours(NamedTuple):
    """From the least to the most that is expected."""

    low: float
    high: float


class ManyNodes(NamedTuple):
    """``busy`` machines have a case to measure; ``used`` are hours of GPUs, or of machines for cases on a CPU.

    ``longest``: what the longest case alone takes, below which no number of machines gets. ``known`` of ``trials``
    were measured before.
    """

    cases: int
    trials: int
    known: int
    busy: int
    wall: Hours
    used: Hours
    longest: Hours


def gpus_named(name: str) -> list[roofline.Gpu]:
    """Rows of the table of peaks whose name has every word of ``name``: ``H100`` has three forms, ``L4`` is no L40S.

    ``UserError`` with the known names where there is none.
    """
    words = set(name.lower().split())
    rows = [row for row in roofline.table() if words and words <= set(re.split(r"[\s-]+", row.name.lower()))]
    rows = rows or [row for row in roofline.table() if row.name.lower() == name.lower()]
    if not rows:
        known = ", ".join(row.name for row in roofline.table())
        raise UserError(
            f"--gpus {name!r}: no GPU of harness/gpus.toml has these words in its name; known are {known}"
        )
    return rows


def at_the_peak(rows: Sequence[roofline.Gpu]) -> Rate:
    """The data sheet's peak of the fastest of these GPUs in the precision of the case; where none states one, what is
    assumed."""

    def rate(case: Case) -> float:
        peaks = [peak for row in rows if (peak := row.peak(case.precision)) is not None]
        return max(peaks) * case.device_count if peaks else assumed_rate(case)

    return rate


def on_such(records: Iterable[Record], rows: Sequence[roofline.Gpu]) -> list[Record]:
    """Those that were measured on one of these GPUs; without any, those that were measured on a CPU."""
    return [
        record
        for record in records
        if (
            record.case.device == "gpu"
            and record.hardware is not None
            and any(roofline.find(gpu) in rows for gpu in record.hardware.gpus)
            if rows
            else record.case.device == "cpu"
        )
    ]


def simulate(
    suite: Suite,
    cases: Sequence[Case],
    contenders: Sequence[Contender],
    nodes: int,
    estimators: tuple[Estimator, Estimator],
    machine: Machine,
) -> ManyNodes:
    """The suite from its start, on ``nodes`` machines as ``machine``, by both estimators: the least and the most."""
    trials = {case.path: _trials(suite, case, contenders) for case in cases}
    seconds = [
        {
            case.path: sum(_seconds(trial, suite, estimator, machine) for trial in trials[case.path])
            for case in cases
        }
        for estimator in estimators
    ]
    parts = [part for part in split(suite, cases, contenders, min(nodes, len(cases))) if part]
    every = [trial for each in trials.values() for trial in each]
    return ManyNodes(
        cases=len(cases),
        trials=len(every),
        known=sum(
            estimators[0].knows(one.kind, one.case, one.contender, suite.protocol_of(one.case))
            for one in every
        ),
        busy=len(parts),
        wall=_hours(max(sum(each[case.path] for case in part) for part in parts) for each in seconds),
        used=_hours(sum(each[case.path] * case.device_count for case in cases) for each in seconds),
        longest=_hours(max(each.values()) for each in seconds),
    )


def _trials(suite: Suite, case: Case, contenders: Sequence[Contender]) -> list[Planned]:
    """All of a case, each where it runs alone: the ceiling is every machine's own."""
    whole = plan.make(
        suite,
        [case],
        [*contenders],
        seconds=lambda trial: 0.0,
        done=lambda trial: False,
        settled=lambda case, among: None,
        budget_s=None,
        seed=0,
        takes_part=suite.admits,
    )
    return whole.trials()


def _seconds(trial: Planned, suite: Suite, estimator: Estimator, machine: Machine) -> float:
    alone = estimator.seconds(trial.kind, trial.case, trial.contender, suite.protocol_of(trial.case))
    return alone / at_a_time(trial.kind, trial.case, machine)


def _hours(seconds: Iterable[float]) -> Hours:
    low, high = sorted(seconds)
    return Hours(low / 3600, high / 3600)
