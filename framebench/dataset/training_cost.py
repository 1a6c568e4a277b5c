"""What a training step costs over the forward pass alone: two results of one contender at one size and batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from framebench.dataset.case_comparisons import comparable
from framebench.dataset.result import Result
from framebench.dataset.same_contender import by_case, in_case, times_as_long
from framebench.statistics.interval import Estimate


class TrainingCost(NamedTuple):
    """``ratio`` is the time of a training step over that of an inference; ``work`` the same of their FLOPs."""

    train: Result
    infer: Result
    ratio: Estimate
    work: float | None

    @property
    def ranked(self) -> bool:
        """Whether both may take a place in a ranking."""
        return self.train.ranked and self.infer.ranked


def training_costs(results: Sequence[Result]) -> list[TrainingCost]:
    """Of every contender that has both, at the same place and in the same environment, in the order of ``results``.

    Rounds that both have are paired, as in a comparison of two contenders; superseded and retired results and A/A twins
    take no part.
    """
    timed = [one for one in results if comparable(one) and one.current and not one.contender.twin]
    there = by_case(timed)
    costs = []
    for train in (one for one in timed if one.case.task == "train"):
        infer = in_case(msgspec.structs.replace(train.case, task="infer"), train, there)
        if infer is not None and (long := times_as_long(train, infer)) is not None:
            costs.append(TrainingCost(train, infer, long, _work(train, infer)))
    return costs


def _work(train: Result, infer: Result) -> float | None:
    if not train.flops_per_step or not infer.flops_per_step:
        return None
    return train.flops_per_step / infer.flops_per_step
