"""Training that reads its batches from files, beside the same training on batches that lie ready."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from framebench.dataset.case_comparisons import comparable, ratio, time_table
from framebench.dataset.result import Result
from framebench.records.identity import environment
from framebench.statistics.comparison import compare_case
from framebench.statistics.interval import Estimate
from harness import workloads


class Fed(NamedTuple):
    """``times_as_long``: the fed step over the ready one, of the same contender in the same rounds."""

    fed: Result
    ready: Result
    times_as_long: Estimate


def fed_results(members: Sequence[Result], results: Sequence[Result]) -> list[Fed]:
    """Those members of a group of which the same contender was timed on ready batches, at the same place."""
    every = [_pair(member, results) for member in members if comparable(member)]
    return [one for one in every if one is not None]


def _pair(member: Result, results: Sequence[Result]) -> Fed | None:
    ready = workloads.get(member.case.workload).ready
    if ready is None:
        return None
    case = msgspec.structs.replace(member.case, workload=ready)
    beside = (
        one
        for one in results
        if comparable(one) and not one.superseded and one.case == case and _place(one) == _place(member)
    )
    if (other := next(beside, None)) is None:
        return None
    comparison = compare_case(time_table([member, other]), 1)[0]
    return Fed(member, other, ratio(comparison)) if comparison else None


def _place(result: Result) -> tuple[object, ...]:
    """By whom and where it was measured, and how."""
    surroundings = environment(result.image)
    return result.contender, surroundings, result.host_id, result.executor, result.protocol
