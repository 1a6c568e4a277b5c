"""What speaks against the best one of a case: its first step, its memory, and what it could not do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from framebench.dataset.case_comparisons import CaseComparison
from framebench.dataset.memory_by_batch import Footprint, footprint
from framebench.dataset.result import NOT_TIMED, Result
from framebench.records.accidents import from_outside
from framebench.statistics.break_even import break_even_steps
from harness.record import Case

NOTABLE = 1.5  # times the least of the others: less is not worth a sentence
NOTABLE_NS = 1e9  # nor is a first step that takes less than a second more

Cache = Literal["cold", "warm"]


class LaterStart(NamedTuple):
    """``own_ns`` and ``least_ns``: the first step of the best one and the shortest of the others', with the compile
    cache in one state. ``repaid_steps``: later steps after which the best one has caught up by its faster steps; null
    where it is not surely faster than ``other``."""

    own_ns: float
    least_ns: float
    other: Result
    cache: Cache
    repaid_steps: int | None


class MoreMemory(NamedTuple):
    """Bytes at the peak, beyond what the imported framework holds (CPU) or on the device; ``least`` of the others."""

    own: int
    least: int
    other: Result


class Failed(NamedTuple):
    """A case in which the same contender ended without a figure."""

    case: Case
    status: str


class Drawbacks(NamedTuple):
    """``later_start`` and ``more_memory`` are null where the best one needs no notable amount more, or where one side
    was not measured: ``compared`` names what could be. ``failed_trials`` of its ``timing_trials`` in this case ended
    without a time, and what something outside ended is among neither; ``failed_elsewhere`` are other cases that it
    could not do, of the same kind of device."""

    later_start: LaterStart | None
    more_memory: MoreMemory | None
    compared: frozenset[Literal["first step", "memory"]]
    failed_trials: int
    timing_trials: int
    failed_elsewhere: list[Failed]


def drawbacks(
    first: Result, others: Sequence[Result], surely_slower: set[str], cases: Sequence[CaseComparison]
) -> Drawbacks:
    """Of ``first`` beside the best of the other frameworks in its case; ``surely_slower`` are ids among these."""
    start, started = _later_start(first, others, surely_slower)
    memory, sized = _more_memory(first, others)
    compared: set[Literal["first step", "memory"]] = set()
    if started:
        compared.add("first step")
    if sized:
        compared.add("memory")
    timing = [one for one in first.trials.get("timing", ()) if not from_outside(one)]
    return Drawbacks(
        later_start=start,
        more_memory=memory,
        compared=frozenset(compared),
        failed_trials=sum(record.outcome.status != "ok" for record in timing),
        timing_trials=len(timing),
        failed_elsewhere=_failed_elsewhere(first, cases),
    )


def _later_start(
    first: Result, others: Sequence[Result], surely_slower: set[str]
) -> tuple[LaterStart | None, bool]:
    """The cold start's where all have one, else the warm one's; and whether there is anything to compare with."""
    caches: tuple[Cache, ...] = ("cold", "warm")
    for cache in caches:
        own = _first_step_ns(first, cache)
        theirs = [(_first_step_ns(other, cache), other) for other in others]
        known = [(time, other) for time, other in theirs if time is not None]
        if own is None or not known or (cache == "cold" and len(known) < len(others)):
            continue
        least, other = min(known, key=lambda one: one[0])
        if own < NOTABLE * least or own - least < NOTABLE_NS:
            return None, True
        return LaterStart(own, least, other, cache, _repaid(first, own, other, least, surely_slower)), True
    return None, False


def _first_step_ns(result: Result, cache: Cache) -> float | None:
    steps = result.first_steps
    if steps is None:
        return None
    return steps.cold_ns if cache == "cold" else steps.warm_ns


def _repaid(
    first: Result, own_ns: float, other: Result, least_ns: float, surely_slower: set[str]
) -> int | None:
    if other.id not in surely_slower or first.time_ns is None or other.time_ns is None:
        return None
    return break_even_steps(least_ns, own_ns, other.time_ns.value, first.time_ns.value)


def _more_memory(first: Result, others: Sequence[Result]) -> tuple[MoreMemory | None, bool]:
    own = peak_memory(first)
    known = [(peak, other) for other in others if (peak := peak_memory(other)) is not None]
    if own is None or not known:
        return None, False
    least, other = min(known, key=lambda one: one[0])
    return (MoreMemory(own, least, other) if own > 0 and own >= NOTABLE * least else None), True


def peak_memory(result: Result) -> int | None:
    """Bytes that the work itself needed at its peak, in one count for all results of a case: on a CPU the process
    beyond the imported framework, on a GPU what the driver counted on the device; null where it was not measured."""
    if result.memory is None:
        return None
    needed: Footprint = footprint(result.memory)
    return needed.host if result.case.device == "cpu" else needed.device


def _failed_elsewhere(first: Result, cases: Sequence[CaseComparison]) -> list[Failed]:
    """One of each workload, task and status, in the order of ``cases``."""
    failed: dict[tuple[str, str, str], Failed] = {}
    for case in cases:
        if case.edition or case.case.device != first.case.device:
            continue
        for result in case.absent:
            if result.contender == first.contender and result.status not in ("ok", NOT_TIMED, "interrupted"):
                name = case.case.workload, case.case.task, result.status
                failed.setdefault(name, Failed(case.case, result.status))
    return [*failed.values()]
