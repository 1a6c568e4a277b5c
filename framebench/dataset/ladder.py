"""All contenders over all cases of one machine and precision: geometric means with intervals, and ranges of ranks."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from framebench.dataset.answers import timed
from framebench.dataset.case_comparisons import CaseComparison, time_table
from framebench.dataset.result import Result
from framebench.statistics.comparison import MIN_ROUNDS, Comparison, compare_case
from framebench.statistics.geomean import GeometricMean, LogRatio, geometric_mean, mean_log_ratio
from framebench.statistics.ranks import RankRange, rank_ranges
from harness.record import PHASES

FEWEST_CASES = 2


class Rung(NamedTuple):
    """One contender that is ranked in every case; ``result`` is its own in the first of them. ``time_ratio`` is its
    time over the baseline's."""

    result: Result
    time_ratio: GeometricMean
    rank: RankRange


class Incomplete(NamedTuple):
    """One that is not, with the cases that it lacks."""

    result: Result
    missing: list[CaseComparison]


@dataclass(frozen=True, slots=True)
class Ladder:
    """``rungs`` from the fastest on average; all over the same ``cases``: of one host, executor, suite, device and
    precision, each with the declared baseline ranked. ``incomplete`` by how little they lack."""

    cases: list[CaseComparison]
    baseline: Result
    rungs: list[Rung]
    incomplete: list[Incomplete]


def ladders(cases: Sequence[CaseComparison]) -> list[Ladder]:
    """One per host, executor, suite, device and precision with two cases and two contenders or more; the one over
    most kinds of work first, of equals the one measured last. Phases of a step and earlier editions take no part."""
    groups: dict[tuple[object, ...], list[CaseComparison]] = defaultdict(list)
    for case in cases:
        baseline = case.baseline
        if case.edition or case.case.task in PHASES or not case.declared:
            continue
        if baseline is not None and baseline.ranked and not baseline.image.own_builds:
            groups[_machine(case)].append(case)
    climbed = [_ladder(members) for members in groups.values() if len(members) >= FEWEST_CASES]
    return sorted((one for one in climbed if len(one.rungs) > 1), key=_merit, reverse=True)


def _machine(case: CaseComparison) -> tuple[object, ...]:
    what, baseline = case.case, case.baseline
    label = baseline.label if baseline else None
    return (
        case.host_id,
        case.executor,
        case.protocol.name,
        what.device,
        what.device_count,
        what.precision,
        label,
    )


def _merit(ladder: Ladder) -> tuple[int, int, bool, str]:
    kinds = {(case.case.workload, case.case.task) for case in ladder.cases}
    case = ladder.cases[0]
    newest = max(one.measured_utc for one in ladder.cases)
    return len(kinds), len(ladder.rungs), case.case.precision == "fp32", newest


def _ladder(cases: list[CaseComparison]) -> Ladder:
    placed = [{result.label: result for result in timed(case) if result.ranked} for case in cases]
    first: dict[str, Result] = {}
    for results in placed:
        first = results | first
    whole = sorted(label for label in first if all(label in results for results in placed))
    missing = {
        label: [case for case, results in zip(cases, placed, strict=True) if label not in results]
        for label in first
    }
    baseline = cases[0].baseline
    assert baseline is not None  # only such cases come here
    against = [_pairs(case, whole) for case in cases]
    over_baseline = {
        label: geometric_mean(
            {case.case.path: one[label, baseline.label] for case, one in zip(cases, against, strict=True)}
        )
        for label in whole
    }
    pairs = {
        (i, j): mean_log_ratio([one[whole[i], whole[j]] for one in against])
        for i, j in itertools.combinations(range(len(whole)), 2)
    }
    ranks = rank_ranges(len(whole), pairs, max(case.equal_within for case in cases))
    rungs = [Rung(first[label], over_baseline[label], rank) for label, rank in zip(whole, ranks, strict=True)]
    return Ladder(
        cases=cases,
        baseline=baseline,
        rungs=sorted(rungs, key=lambda rung: (rung.time_ratio.value or 0.0, rung.result.label)),
        incomplete=sorted(
            (Incomplete(first[label], lacks) for label, lacks in missing.items() if lacks),
            key=lambda one: (len(one.missing), one.result.label),
        ),
    )


def _pairs(case: CaseComparison, labels: Sequence[str]) -> dict[tuple[str, str], LogRatio]:
    """ln of the time of the first label over that of the second, from the whole table of the case."""
    members = [row.result for row in case.rows]
    table = time_table(members)
    column = {member.label: index for index, member in enumerate(members) if not member.contender.twin}
    pairs: dict[tuple[str, str], LogRatio] = {}
    for label in labels:
        compared = compare_case(table, column[label])
        pairs |= {(other, label): _log_ratio(compared[column[other]]) for other in labels}
    return pairs


def _log_ratio(comparison: Comparison | None) -> LogRatio:
    """A contender's own is 1 by definition; below three rounds there is no error to judge by."""
    if comparison is None:
        return LogRatio(0.0, None, None)
    known = comparison.rounds >= MIN_ROUNDS
    return LogRatio(*comparison[:3]) if known else LogRatio(comparison.log_ratio, None, None)
