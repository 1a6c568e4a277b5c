"""Keras beside itself: in each case the best result of every backend, and what did not run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from framebench.dataset.answers import timed
from framebench.dataset.case_comparisons import CaseComparison
from framebench.dataset.every_baseline import Against, Compared, Group
from framebench.dataset.keras_overhead import best_of, is_keras
from framebench.dataset.result import NOT_TIMED, Result
from framebench.records.identity import group_key


class BackendsOfCase(NamedTuple):
    """``best`` has each backend's best result, fastest first; ``over_others`` the speed of the first over each other's
    by the other's id. ``failed`` are Keras' results that ended with a reason instead of a time."""

    case: CaseComparison
    best: list[Result]
    over_others: dict[str, Compared]
    failed: list[Result]


def backends(cases: Sequence[CaseComparison], baselines: Mapping[Group, Against]) -> list[BackendsOfCase]:
    """The cases that were tried with Keras, in their order."""
    found = [_of_case(case, baselines) for case in cases]
    return [one for one in found if one.best or one.failed]


def _of_case(case: CaseComparison, baselines: Mapping[Group, Against]) -> BackendsOfCase:
    members = [result for result in timed(case) if is_keras(result)]
    by_stack: dict[str, list[Result]] = {}
    for result in members:
        by_stack.setdefault(result.contender.stack, []).append(result)
    best = sorted(map(best_of, by_stack.values()), key=members.index)
    over_others = {}
    for other in best[1:]:
        compared = baselines.get(group_key(other), {}).get(other.label, {}).get(best[0].id)
        if compared is not None:
            over_others[other.id] = compared
    failed = [one for one in case.absent if is_keras(one) and one.status != NOT_TIMED]
    return BackendsOfCase(case, best, over_others, failed)
