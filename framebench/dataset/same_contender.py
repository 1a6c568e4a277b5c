"""Two results of one contender, measured at one place in two cases: how the time of a step differs between these."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from framebench.dataset.case_comparisons import comparable, ratio, time_table
from framebench.dataset.result import Result
from framebench.records.identity import environment
from framebench.statistics.comparison import compare_case
from framebench.statistics.interval import Estimate
from harness.record import Case


def by_case(results: Iterable[Result]) -> dict[Case, list[Result]]:
    """The results of each case, in their order."""
    found: dict[Case, list[Result]] = defaultdict(list)
    for result in results:
        found[result.case].append(result)
    return found


def in_case(case: Case, result: Result, results: Mapping[Case, Sequence[Result]]) -> Result | None:
    """The newest result of the same contender in another case, in the same environment, on the same host; null where
    none has a time. ``results`` are ``by_case``."""
    place = _place(result)
    there = (one for one in results.get(case, ()) if comparable(one) and one.current and _place(one) == place)
    return next(there, None)


def times_as_long(one: Result, other: Result) -> Estimate | None:
    """The time of a step of ``one`` over that of ``other``; rounds that both have are paired."""
    comparison = compare_case(time_table([one, other]), 1)[0]
    return ratio(comparison) if comparison else None


def _place(result: Result) -> tuple[object, ...]:
    """By whom, in what and where it was measured."""
    surroundings = environment(result.image)
    return result.contender, surroundings, result.host_id, result.executor, result.protocol.name
