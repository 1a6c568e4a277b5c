"""All contenders over all cases of one machine and precision: geometric means with intervals, and ranges of ranks."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from framebench.dataset.all_pairs import all_pairs
from framebench.dataset.answers import timed
from framebench.dataset.case_comparisons import CaseComparison
from framebench.dataset.drawbacks import peak_memory
from framebench.dataset.energy import joules_per_unit
from framebench.dataset.result import Result
from framebench.statistics.geomean import GeometricMean, geometric_mean, mean_log_ratio
from framebench.statistics.ranks import RankRange, rank_ranges
from harness.record import PHASES

FEWEST_CASES = 2

Needed = Literal["energy", "memory"]


class Rung(NamedTuple):
    """One contender that is ranked in every case; ``result`` is its own in the first of them. ``time_ratio`` is its
    time over the baseline's, ``need`` the geometric mean of what it needs over the baseline's need (a description, from
    medians and single trials); null where a case does not tell."""

    result: Result
    is_baseline: bool
    time_ratio: GeometricMean
    rank: RankRange
    need: float | None


class Incomplete(NamedTuple):
    """One that is not, with the cases that it lacks."""

    result: Result
    missing: list[CaseComparison]


@dataclass(frozen=True, slots=True)
class Ladder:
    """``rungs`` from the fastest on average; all over the same ``cases``: of one host, executor, suite, device and
    precision, each with the declared baseline ranked. ``incomplete`` by how little they lack. ``needed`` is what
    ``need`` speaks of: energy per unit of work where GPUs told it, else the peak of memory."""

    cases: list[CaseComparison]
    baseline: Result
    rungs: list[Rung]
    incomplete: list[Incomplete]
    needed: Needed


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
    against = [
        all_pairs(case, [results[label] for label in whole])
        for case, results in zip(cases, placed, strict=True)
    ]
    ids = [{label: results[label].id for label in whole} for results in placed]
    over_baseline = {
        label: geometric_mean(
            {
                case.case.path: one[of[label], of[baseline.label]]
                for case, one, of in zip(cases, against, ids, strict=True)
            }
        )
        for label in whole
    }
    pairs = {
        (i, j): mean_log_ratio(
            [one[of[whole[i]], of[whole[j]]] for one, of in zip(against, ids, strict=True)]
        )
        for i, j in itertools.combinations(range(len(whole)), 2)
    }
    ranks = rank_ranges(len(whole), pairs, max(case.equal_within for case in cases))
    energy = _needs("energy", whole, placed, baseline.label)
    needed: Needed = "energy" if any(need is not None for need in energy.values()) else "memory"
    needs = energy if needed == "energy" else _needs(needed, whole, placed, baseline.label)
    rungs = [
        Rung(first[label], label == baseline.label, over_baseline[label], rank, needs[label])
        for label, rank in zip(whole, ranks, strict=True)
    ]
    return Ladder(
        cases=cases,
        baseline=baseline,
        rungs=sorted(rungs, key=lambda rung: (rung.time_ratio.value or 0.0, rung.result.label)),
        incomplete=sorted(
            (Incomplete(first[label], lacks) for label, lacks in missing.items() if lacks),
            key=lambda one: (len(one.missing), one.result.label),
        ),
        needed=needed,
    )


def _needs(
    needed: Needed, labels: Sequence[str], placed: Sequence[dict[str, Result]], baseline: str
) -> dict[str, float | None]:
    """By label, over all cases, relative to the baseline."""
    measure = joules_per_unit if needed == "energy" else peak_memory
    needs = {label: [measure(results[label]) for results in placed] for label in labels}
    return {label: _mean_ratio(needs[label], needs[baseline]) for label in labels}


def _mean_ratio(own: Sequence[float | None], baseline: Sequence[float | None]) -> float | None:
    ratios = [
        math.log(one / other)
        for one, other in zip(own, baseline, strict=True)
        if one and other and one > 0 < other
    ]
    return math.exp(math.fsum(ratios) / len(ratios)) if len(ratios) == len(own) else None
