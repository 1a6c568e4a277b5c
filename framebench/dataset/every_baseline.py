"""Each case against every baseline that a reader may choose, each computed once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from framebench.dataset.case_comparisons import CaseComparison, Timed, group_results, ratio
from framebench.dataset.cycles import disagree
from framebench.dataset.result import Result
from framebench.records.identity import group_key
from framebench.statistics.interval import Estimate
from framebench.statistics.noise import Noise
from framebench.statistics.verdict import Verdict

Group = tuple[str, ...]
"""What ``records.identity.group_key`` gives."""


class Compared(NamedTuple):
    """Speed of a contender over the baseline's (above 1 is faster), its interval, the verdict, and the same speed in
    cycles where it is more than a hundredth another one (null where it is not, or unknown)."""

    ratio: float
    low: float | None
    high: float | None
    verdict: str
    other_in_cycles: float | None = None


Against = dict[str, dict[str, Compared]]
"""By the baseline's label: the comparison of each other result with it, by the result's id."""


def every_baseline(
    results: Sequence[Result], noises: dict[str, Noise], cases: Sequence[CaseComparison] = ()
) -> dict[Group, Against]:
    """By group, every contender with a time as the baseline of all others; A/A twins are no baselines.

    A label without a version also names the contender's latest version where a group has several. ``cases`` are
    comparisons of the same results that are computed already.
    """
    known = {(group_key(case.baseline), case.baseline.label): case for case in cases if case.baseline}
    labels = sorted({result.label for result in results if not result.contender.twin})
    compared: dict[Group, Against] = {}
    for members in group_results(results):
        names = {name for member in members for name in (member.label, member.contender.slug)}
        timed = Timed(members, noises.get(members[0].host_id))
        group = group_key(members[0])
        compared[group] = {}
        for label in labels:
            baseline = timed.baseline(label) if label in names else None
            if baseline is None or label not in (baseline.label, baseline.contender.slug):
                continue
            case = known.get((group, label))
            compared[group][label] = against_baseline(case) if case else _against(timed, baseline)
    return compared


def against_baseline(case: CaseComparison) -> dict[str, Compared]:
    """Result id → its speed over the baseline's, of all but the baseline itself."""
    return {
        row.result.id: _compared(row.result, row.time_ratio, row.cycle_ratio, row.verdict, case.baseline)
        for row in case.rows
        if row.time_ratio is not None and case.baseline is not None
    }


def _against(timed: Timed, baseline: Result) -> dict[str, Compared]:
    found = {}
    judgements = zip(timed.results, timed.against(baseline), timed.clock_ratios(baseline), strict=True)
    for one, judged, clock in judgements:
        if judged is not None:
            times = ratio(judged.comparison)
            cycles = times.value * clock if clock else None
            found[one.id] = _compared(one, times, cycles, judged.verdict, baseline)
    return found


def _compared(
    result: Result, times: Estimate, cycles: float | None, verdict: Verdict | None, baseline: Result
) -> Compared:
    """Times and cycles to speeds; no verdict where one of the two may not be ranked."""
    ranked = result.ranked and baseline.ranked
    return Compared(
        1 / times.value,
        1 / times.high if times.high else None,
        1 / times.low if times.low else None,
        (verdict or "no verdict") if ranked else "not ranked",
        1 / cycles if cycles and disagree(times.value, cycles) else None,
    )
