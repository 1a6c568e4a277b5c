"""One contender over all cases of a host: the geometric mean of its time ratios, with what is missing named."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from framebench.dataset.case_comparisons import CaseComparison, Row
from framebench.statistics.geomean import GeometricMean, LogRatio, geometric_mean


@dataclass(frozen=True, slots=True)
class Overall:
    """One contender over all cases of one host, executor and protocol: geometric mean of time ratios.

    ``label`` and ``baseline`` as ``Result.label``.
    """

    host_id: str
    executor: str
    protocol: str
    contender: str
    label: str
    baseline: str
    time_ratio: GeometricMean


def overall(cases: Sequence[CaseComparison]) -> list[Overall]:
    """Geometric mean of the time ratio to the baseline over the cases of each host and protocol.

    Cases in which a contender has no ratio are named in ``time_ratio.missing``. Twins take no part, nor
    do cases in which another baseline stood in, nor earlier editions of a case.
    """
    groups: dict[tuple[str, str, str], list[CaseComparison]] = defaultdict(list)
    for case in cases:
        if case.declared and not case.edition:
            groups[case.host_id, case.executor, case.protocol.name].append(case)
    answers = []
    for (host_id, executor, protocol), members in sorted(groups.items()):
        paths = [member.case.path for member in members]
        ratios: dict[tuple[str, str], dict[str, LogRatio | None]] = {}
        for member in members:
            entries = [(row.result, row) for row in member.rows] + [
                (result, None) for result in member.absent
            ]
            for result, row in entries:
                if result.contender.twin:
                    continue
                name = (result.contender.slug, result.label)
                if name not in ratios:
                    ratios[name] = dict.fromkeys(paths)
                if row is not None:
                    ratios[name][member.case.path] = _log_ratio(row)
        baseline = next(member.baseline for member in members if member.baseline)
        answers += [
            Overall(
                host_id,
                executor,
                protocol,
                slug,
                label,
                baseline.label,
                geometric_mean(values),
            )
            for (slug, label), values in sorted(ratios.items())
        ]
    return answers


def _log_ratio(row: Row) -> LogRatio | None:
    """The baseline's own ratio is 1 by definition, without an error."""
    if row.is_baseline:
        return LogRatio(0.0, None, None)
    return LogRatio(*row.comparison[:3]) if row.comparison else None
