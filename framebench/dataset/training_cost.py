"""What a training step costs over the forward pass alone: two results of one contender at one size and batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from framebench.dataset.case_comparisons import comparable, ratio, time_table
from framebench.dataset.result import Result
from framebench.statistics.comparison import compare_case
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
    """Of every contender that has both, at the same place and in the same image, in the order of ``results``.

    Rounds that both have are paired, as in a comparison of two contenders; superseded results and A/A twins take
    no part.
    """
    timed = [one for one in results if comparable(one) and not one.superseded and not one.contender.twin]
    forward = {_key(one, one.case.task): one for one in timed if one.case.task == "infer"}
    costs = []
    for train in timed:
        infer = forward.get(_key(train, "infer")) if train.case.task == "train" else None
        comparison = compare_case(time_table([train, infer]), 1)[0] if infer else None
        if infer is not None and comparison is not None:
            costs.append(TrainingCost(train, infer, ratio(comparison), _work(train, infer)))
    return costs


def _key(result: Result, task: str) -> tuple[str, ...]:
    case = msgspec.structs.replace(result.case, task=task)
    image = result.image.name or ""
    return result.host_id, result.executor, result.protocol.name, case.path, result.contender.slug, image


def _work(train: Result, infer: Result) -> float | None:
    if not train.flops_per_step or not infer.flops_per_step:
        return None
    return train.flops_per_step / infer.flops_per_step
