"""Single calls on a ladder of batches: the price of one, where compiling pays, what share of the machine is reached.

At the smallest batch there is least to compute, so that the call itself is what costs; the batches above it say when
that no longer matters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from framebench.dataset.answers import timed
from framebench.dataset.case_comparisons import CaseComparison
from framebench.dataset.compiled_pairs import CompiledPair, compiled_pairs
from framebench.dataset.device_share import MeasuredCeiling, Place
from framebench.dataset.every_baseline import Against, Group
from framebench.dataset.keras_overhead import best_of
from framebench.dataset.result import Result
from framebench.dataset.traffic import traffic
from framebench.records.identity import group_key
from harness.record import Case

CALL = "call"  # the task whose step is one call


class Reached(NamedTuple):
    """A stack's fastest contender, and which share of the machine it reaches: its FLOPs per second over the best
    matrix product measured there, or, of a call without products, its bytes per second over the best copy. Null where
    one of the two is not known."""

    result: Result
    share: float | None


class Rung(NamedTuple):
    """One batch: every contender with a time, fastest first, and each stack's fastest."""

    case: CaseComparison
    timed: list[Result]
    fastest: list[Reached]

    @property
    def batch(self) -> int:
        return self.case.case.batch


class CallLadder(NamedTuple):
    """The same call at the same place under one protocol, from its smallest batch to its largest. ``compiled`` has
    each compiled contender, by its label, beside its eager form at every batch where both were timed, in that order.
    """

    rungs: list[Rung]
    compiled: dict[str, dict[int, CompiledPair]]

    @property
    def case(self) -> CaseComparison:
        """The case of the smallest batch."""
        return self.rungs[0].case

    @property
    def multiplies(self) -> bool:
        """Whether its work is counted in products."""
        return any(result.flops_per_step for rung in self.rungs for result in rung.timed)


def call_ladders(
    cases: Sequence[CaseComparison],
    baselines: Mapping[Group, Against],
    ceilings: Mapping[Place, MeasuredCeiling],
) -> list[CallLadder]:
    """Every call that was timed, in the order of the cases."""
    climbed: dict[tuple[str, ...], list[CaseComparison]] = {}
    for case in cases:
        if case.case.task == CALL and timed(case):
            climbed.setdefault(_but_for_batch(case), []).append(case)
    return [
        _ladder(sorted(some, key=lambda one: one.case.batch), baselines, ceilings)
        for some in climbed.values()
    ]


def pays_from(pairs: dict[int, CompiledPair]) -> int | None:
    """The smallest batch from which on the compiled form is faster at every batch; null where that is not shown.
    ``pairs`` come by batch, smallest first."""
    smallest = None
    for batch, pair in reversed(pairs.items()):
        if pair.compared is None or pair.compared.verdict != "faster":
            break
        smallest = batch
    return smallest


def _but_for_batch(case: CaseComparison) -> tuple[str, ...]:
    """Equal for the cases of one ladder."""
    call: Case = msgspec.structs.replace(case.case, batch=1)
    return call.path, case.host_id, case.executor, case.protocol.name, case.edition


def _ladder(
    cases: list[CaseComparison], baselines: Mapping[Group, Against], ceilings: Mapping[Place, MeasuredCeiling]
) -> CallLadder:
    compiled: dict[str, dict[int, CompiledPair]] = {}
    for case in cases:
        members = timed(case)
        for pair in compiled_pairs(members, baselines.get(group_key(members[0]), {})):
            compiled.setdefault(pair.compiled.label, {})[case.case.batch] = pair
    return CallLadder([_rung(case, ceilings) for case in cases], compiled)


def _rung(case: CaseComparison, ceilings: Mapping[Place, MeasuredCeiling]) -> Rung:
    members = timed(case)
    by_stack: dict[str, list[Result]] = {}
    for result in members:
        by_stack.setdefault(result.contender.stack, []).append(result)
    fastest = sorted(map(best_of, by_stack.values()), key=members.index)
    return Rung(case, members, [Reached(result, _share(result, ceilings)) for result in fastest])


def _share(result: Result, ceilings: Mapping[Place, MeasuredCeiling]) -> float | None:
    if result.flops_per_step:
        return result.utilization.ceiling_share if result.utilization else None
    moved = traffic(result, ceilings)
    return moved.copy_share if moved else None
