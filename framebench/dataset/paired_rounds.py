"""The rounds that two contenders share in one campaign: what a recorded ratio is made of, and what repeats it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from framebench.dataset.grouping import results
from framebench.records.identity import result_id
from framebench.records.step_time import step_ns
from harness.record import Contender, Record


class Pair(NamedTuple):
    """The timed trials of a result and of its baseline, by round, from one campaign."""

    contender: dict[int, Record]
    baseline: dict[int, Record]

    def log_ratios(self) -> np.ndarray:
        """ln(time of contender / time of baseline) of every round that both have, shape (rounds,)."""
        return np.array(
            [math.log(_step_ns(self.contender[r]) / _step_ns(self.baseline[r])) for r in self.shared()]
        )

    def shared(self) -> list[int]:
        """The rounds that both have."""
        return sorted(self.contender.keys() & self.baseline.keys())

    def only(self, rounds: Iterable[int]) -> Pair:
        """These rounds of it."""
        kept = set(rounds)
        return Pair(*({r: trial for r, trial in side.items() if r in kept} for side in self))

    def any(self) -> tuple[Record, Record]:
        """One trial of each: what was measured, and in what."""
        return next(iter(self.contender.values())), next(iter(self.baseline.values()))


def timed_again(records: Iterable[Record], contender: Contender, baseline: Contender) -> Pair:
    """Of the trials of both that were measured anew: those that ended well."""
    well = [record for record in records if record.outcome.status == "ok"]
    return Pair(
        *(
            {record.round: record for record in well if record.contender == who}
            for who in (contender, baseline)
        )
    )


def timed_trials(records: Iterable[Record]) -> list[Record]:
    """Those that a result's time is made of."""
    return [record for result in results(records) for record in result.timed]


def pairs(timed: Sequence[Record], wanted_id: str) -> list[Pair]:
    """A result with each contender that was timed beside it in a campaign, by as many rounds as they share.

    ``timed``: what ``timed_trials`` gives. Empty where the result was timed alone, or never.
    """
    mine = [record for record in timed if result_id(record) == wanted_id]
    found: list[Pair] = []
    for campaign in sorted({record.campaign_id for record in mine}):
        contender = {record.round: record for record in mine if record.campaign_id == campaign}
        others: dict[str, dict[int, Record]] = {}
        for record in timed:
            alike = (record.campaign_id, record.case.path, record.protocol.name) == (
                campaign,
                mine[0].case.path,
                mine[0].protocol.name,
            )
            if alike and result_id(record) != wanted_id and not record.contender.twin:
                others.setdefault(record.contender.slug, {})[record.round] = record
        every = (Pair(contender, baseline) for baseline in others.values())
        found += [pair for pair in every if pair.shared()]
    return found


def _step_ns(record: Record) -> float:
    time = step_ns(record)
    assert time is not None, "only trials with blocks are paired"
    return time
