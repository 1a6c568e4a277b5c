"""Cases that differ in their batch alone, measured at one place: what grows with the batch can be read along them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple, get_args

import msgspec

from framebench.dataset.result import Result
from harness.record import Case, Task


class BatchLadder(NamedTuple):
    """``case`` has the smallest of the batches. ``members``: by the label of each contender, its results of each batch,
    the newest first; several where suites share a case."""

    case: Case
    host_id: str
    executor: str
    members: dict[str, dict[int, list[Result]]]


def batch_ladders(results: Iterable[Result]) -> list[BatchLadder]:
    """In reading order, training first. What was replaced, twins and what failed the gate take no part."""
    places: dict[tuple[str, str, Case], list[Result]] = defaultdict(list)
    for result in results:
        if result.current and not (result.contender.twin or result.status == "not_comparable"):
            alike = msgspec.structs.replace(result.case, batch=1)
            places[result.host_id, result.executor, alike].append(result)
    return sorted((_ladder(members) for members in places.values()), key=_in_reading_order)


def _ladder(results: list[Result]) -> BatchLadder:
    members: dict[str, dict[int, list[Result]]] = defaultdict(lambda: defaultdict(list))
    for result in sorted(results, key=lambda one: one.started_utc, reverse=True):
        members[result.label][result.case.batch].append(result)
    first = min(results, key=lambda one: one.case.batch)
    by_label = {label: dict(sorted(members[label].items())) for label in sorted(members)}
    return BatchLadder(first.case, first.host_id, first.executor, by_label)


def _in_reading_order(ladder: BatchLadder) -> tuple[str, int, str, str, str]:
    case = ladder.case
    return case.workload, get_args(Task).index(case.task), case.path, ladder.host_id, ladder.executor
