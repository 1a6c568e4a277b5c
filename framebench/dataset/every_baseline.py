"""Each case against every baseline that a reader may choose, each computed once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from framebench.dataset.case_comparisons import CaseComparison, Row, compare_group, group_results
from framebench.dataset.cycles import disagree
from framebench.dataset.result import Result
from framebench.records.identity import group_key
from framebench.statistics.noise import Noise

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
        noise = noises.get(members[0].host_id)
        group = group_key(members[0])
        each = {
            label: known.get((group, label)) or compare_group(members, label, noise)
            for label in labels
            if label in names
        }
        compared[group] = {
            label: against_baseline(case)
            for label, case in each.items()
            if case.baseline and label in (case.baseline.label, case.baseline.contender.slug)
        }
    return compared


def against_baseline(case: CaseComparison) -> dict[str, Compared]:
    """Result id → its speed over the baseline's, of all but the baseline itself."""
    return {row.result.id: _compared(row, case) for row in case.rows if row.time_ratio is not None}


def _compared(row: Row, case: CaseComparison) -> Compared:
    """Times to speeds; no verdict where one of the two may not be ranked."""
    ratio, baseline = row.time_ratio, case.baseline
    assert ratio is not None and baseline is not None
    ranked = row.result.ranked and baseline.ranked
    return Compared(
        1 / ratio.value,
        1 / ratio.high if ratio.high else None,
        1 / ratio.low if ratio.low else None,
        (row.verdict or "no verdict") if ranked else "not ranked",
        1 / row.cycle_ratio if row.cycle_ratio and disagree(ratio.value, row.cycle_ratio) else None,
    )
