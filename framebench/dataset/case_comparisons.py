"""From results to comparisons: every contender of a case against its baseline, with interval and verdict."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from packaging.version import InvalidVersion, Version

from framebench.dataset.aa_pairs import host_noises
from framebench.dataset.cycles import clock_ratio
from framebench.dataset.result import Result, log_times
from framebench.records.identity import group_key
from framebench.statistics.comparison import Comparison, Method
from framebench.statistics.equivalence import Equivalence, accuracy_equivalence
from framebench.statistics.family import Judged, judge_case
from framebench.statistics.interval import Estimate
from framebench.statistics.noise import Noise
from framebench.statistics.verdict import Verdict, margin
from harness.record import Case, Protocol

BASELINE = "torch-eager"


@dataclass(frozen=True, slots=True)
class Row:
    """One contender in a case.

    ``comparison`` is with the baseline, ``time_ratio`` its time over the baseline's (below 1 is faster; ``n``
    rounds) and ``adjusted_p`` Holm's p for "outside the margin"; all null for the baseline itself.
    ``relative_to_best`` is its time over the shortest in the case: a description without a verdict. ``place``
    counts ranked contenders. ``cycle_ratio``: cycles of its GPU over the baseline's (``dataset.cycles``), null where a
    clock is unknown.
    """

    result: Result
    is_baseline: bool
    comparison: Comparison | None
    time_ratio: Estimate | None
    cycle_ratio: float | None
    method: Method | None
    adjusted_p: float | None
    verdict: Verdict | None
    relative_to_best: float | None
    place: int | None
    accuracy: Equivalence | None


@dataclass(frozen=True, slots=True)
class CaseComparison:
    """All contenders of one case on one host, executor, protocol and edition; ``rows`` from fastest to slowest.

    ``absent`` are the results without a comparable time, each with its ``status`` and ``reason``.
    ``baseline`` is null when nothing was timed; ``declared`` is false when the declared baseline was not
    timed and another took its place. ``equal_within`` is the margin of the verdicts (ln).
    """

    host_id: str
    executor: str
    container: bool
    case: Case
    protocol: Protocol
    edition: str
    baseline: Result | None
    declared: bool
    noise: Noise | None
    equal_within: float
    rows: list[Row]
    absent: list[Result]

    @property
    def best(self) -> Result | None:
        """The fastest result that may be ranked."""
        return next((row.result for row in self.rows if row.place == 1), None)

    @property
    def measured_utc(self) -> str:
        """When the newest of its results was measured."""
        return max(result.started_utc for result in [*(row.result for row in self.rows), *self.absent])

    @property
    def half_widths(self) -> list[float | None]:
        """Half-width (ln) of each comparison's 95 % interval; null for one without an interval."""
        return [row.comparison.half_width for row in self.rows if row.comparison]


def comparisons(
    results: Sequence[Result], baseline: str = BASELINE, noises: Mapping[str, Noise] | None = None
) -> list[CaseComparison]:
    """One comparison per host, executor, case, protocol and edition, sorted; superseded and retired results take no
    part.

    ``baseline`` is the contender that the suite declares, or a label. Where it was not timed, the contender with most
    timed trials stands in (the first by name among equals). ``noises`` is each host's A/A noise where more than
    ``results`` tell of it.
    """
    noises = host_noises(results) if noises is None else noises
    return [compare_group(group, baseline, noises.get(group[0].host_id)) for group in group_results(results)]


def group_results(results: Sequence[Result]) -> list[list[Result]]:
    """Results that may share a table, sorted; superseded and retired ones take no part, and where there is none but a
    twin, it stands beside nobody."""
    groups: dict[tuple[str, ...], list[Result]] = defaultdict(list)
    for result in results:
        if result.current:
            groups[group_key(result)].append(result)
    order = sorted(groups, key=lambda key: (key[1], key[0], *key[2:]))
    return [groups[key] for key in order if not all(one.contender.twin for one in groups[key])]


def comparable(result: Result) -> bool:
    """Whether it has a time that may stand beside others."""
    return result.time_ns is not None and result.status == "ok"


def time_table(members: Sequence[Result]) -> np.ndarray:
    """(rounds, contenders) of ln step times, NaN where a trial is missing."""
    columns = [log_times(member) for member in members]
    rounds = {key: row for row, key in enumerate(sorted({key for column in columns for key in column}))}
    table = np.full((len(rounds), len(members)), np.nan)
    for index, column in enumerate(columns):
        for key, value in column.items():
            table[rounds[key], index] = value
    return table


def compare_group(members: Sequence[Result], declared: str, noise: Noise | None) -> CaseComparison:
    """One group against the baseline that was declared, or a stand-in."""
    timed = sorted(
        (m for m in members if comparable(m)), key=lambda m: (m.time_ns.value if m.time_ns else 0.0, m.id)
    )
    absent = [member for member in members if not comparable(member)]
    equal_within = margin(noise.limit if noise else None)
    baseline = _baseline(timed, declared)
    rows: list[Row] = []
    if baseline is not None:
        position = timed.index(baseline)
        twins = [column for column, result in enumerate(timed) if result.contender.twin]
        rows = _rows(timed, baseline, judge_case(time_table(timed), position, equal_within, twins))
    first = members[0]
    return CaseComparison(
        host_id=first.host_id,
        executor=first.executor,
        container=first.container,
        case=first.case,
        protocol=first.protocol,
        edition=first.edition,
        baseline=baseline,
        declared=baseline is not None and declared in (baseline.contender.slug, baseline.label),
        noise=noise,
        equal_within=equal_within,
        rows=rows,
        absent=absent,
    )


def _baseline(timed: list[Result], declared: str) -> Result | None:
    """The declared baseline (a slug or a label), of several versions the latest, and an own build only where there is
    no other; else the best measured contender."""
    named = [result for result in timed if declared in (result.contender.slug, result.label)]
    if named:
        return max(named, key=lambda r: (not r.image.own_builds, _framework_version(r), r.started_utc))
    others = [result for result in timed if not result.contender.twin]
    return min(others, key=lambda result: (-len(result.timed), result.contender.slug), default=None)


def _framework_version(result: Result) -> Version:
    """The first part of the image's version, e.g. ``2.20.0``; the lowest where there is none."""
    try:
        return Version((result.version or "").partition("-")[0])
    except InvalidVersion:
        return Version("0")


def _rows(timed: list[Result], baseline: Result, judgements: list[Judged | None]) -> list[Row]:
    best = next((r.time_ns.value for r in timed if r.time_ns and not r.contender.twin), None)
    place = 0
    rows = []
    for result, judged in zip(timed, judgements, strict=True):
        ranked = result.ranked and not result.contender.twin
        place += ranked
        time_ratio = ratio(judged.comparison) if judged else None
        clocks = clock_ratio(result, baseline) if judged else None
        rows.append(
            Row(
                result=result,
                is_baseline=result is baseline,
                comparison=judged.comparison if judged else None,
                time_ratio=time_ratio,
                cycle_ratio=time_ratio.value * clocks if time_ratio and clocks else None,
                method=judged.comparison.method if judged else None,
                adjusted_p=judged.adjusted_p if judged else None,
                verdict=judged.verdict if judged else None,
                relative_to_best=result.time_ns.value / best if result.time_ns and best else None,
                place=place if ranked else None,
                accuracy=_accuracy(result, baseline),
            )
        )
    return rows


def ratio(comparison: Comparison) -> Estimate:
    """The ratio of times behind a comparison's ln, with its interval; ``n`` rounds."""
    low, high = comparison.low, comparison.high
    return Estimate(
        math.exp(comparison.log_ratio),
        None if low is None else math.exp(low),
        None if high is None else math.exp(high),
        comparison.rounds,
    )


def _accuracy(result: Result, baseline: Result) -> Equivalence | None:
    """Final accuracies of the shared rounds, paired; null where one of the two does not learn."""
    if result is baseline:
        return None
    one, other = _accuracies(result), _accuracies(baseline)
    shared = sorted(one.keys() & other.keys())
    if not shared:
        return None
    return accuracy_equivalence([one[key] for key in shared], [other[key] for key in shared])


def _accuracies(result: Result) -> dict[tuple[str, int], float]:
    return {
        (record.campaign_id, record.round): record.learning.final_score
        for record in result.timed
        if record.learning
    }
