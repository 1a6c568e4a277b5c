"""Every contender of a case against every other, from the whole table of its rounds."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from framebench.dataset.case_comparisons import CaseComparison, time_table
from framebench.dataset.result import Result
from framebench.statistics.comparison import MIN_ROUNDS, Comparison, compare_case
from framebench.statistics.geomean import LogRatio
from framebench.statistics.ranks import surely_faster

Pairs = dict[tuple[str, str], LogRatio]
"""ln of the time of the first result over that of the second, by their ids."""


def all_pairs(case: CaseComparison, results: Sequence[Result]) -> Pairs:
    """Each of ``results``, which have a time in the case, over each, itself included."""
    members = [row.result for row in case.rows]
    table = time_table(members)
    column = {member.id: index for index, member in enumerate(members)}
    pairs: Pairs = {}
    for other in results:
        compared = compare_case(table, column[other.id])
        pairs |= {(one.id, other.id): _log_ratio(compared[column[one.id]]) for one in results}
    return pairs


def surely_faster_pairs(case: CaseComparison, results: Sequence[Result]) -> set[tuple[str, str]]:
    """Ids of the faster and the slower one, of all pairs of which it is sure; see ``ranks.surely_faster``."""
    pairs = all_pairs(case, results)
    ids = [result.id for result in results]
    each = {(i, j): pairs[ids[i], ids[j]] for i, j in itertools.combinations(range(len(ids)), 2)}
    return {(ids[quick], ids[slow]) for quick, slow in surely_faster(each, case.equal_within)}


def _log_ratio(comparison: Comparison | None) -> LogRatio:
    """A contender's own is 1 by definition; below three rounds there is no error to judge by."""
    if comparison is None:
        return LogRatio(0.0, None, None)
    known = comparison.rounds >= MIN_ROUNDS
    return LogRatio(*comparison[:3]) if known else LogRatio(comparison.log_ratio, None, None)
