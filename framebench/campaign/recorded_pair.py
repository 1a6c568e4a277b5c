"""A recorded result and the baseline it was compared with: the trials that a reproduction repeats."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from framebench.campaign import suites
from framebench.dataset.grouping import results
from framebench.errors import UserError
from framebench.records.identity import result_id
from framebench.records.trial_figures import step_ns
from harness.record import Record


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


def find_pair(root: Path, records: list[Record], wanted_id: str) -> Pair:
    """The result's timed trials and those of the baseline of its case, of the campaign with most shared rounds."""
    timed = [record for result in results(records) for record in result.timed]
    mine = [record for record in timed if result_id(record) == wanted_id]
    if not mine:
        raise UserError(
            f"result {wanted_id} has no timed trial that ended well; there is nothing to reproduce"
        )
    sample = mine[0]
    preferred = _baseline_slug(root, sample)
    pairs: list[tuple[bool, int, str, Pair]] = []
    for campaign in {record.campaign_id for record in mine}:
        contender = {record.round: record for record in mine if record.campaign_id == campaign}
        others: dict[str, dict[int, Record]] = {}
        for record in timed:
            alike = (record.campaign_id, record.case.path, record.protocol.name) == (
                campaign,
                sample.case.path,
                sample.protocol.name,
            )
            if alike and result_id(record) != wanted_id and not record.contender.twin:
                others.setdefault(record.contender.slug, {})[record.round] = record
        for slug, baseline in others.items():
            shared = len(contender.keys() & baseline.keys())
            if shared:
                pairs.append((slug == preferred, shared, slug, Pair(contender, baseline)))
    if not pairs:
        raise UserError(
            f"result {wanted_id} was timed alone: no other contender of {sample.case.path} has a trial in the same "
            "campaign, so there is no ratio to reproduce"
        )
    return max(pairs, key=lambda entry: entry[:3])[3]


def _baseline_slug(root: Path, record: Record) -> str | None:
    if record.protocol.name not in suites.available(root):
        return None
    return suites.load(root, record.protocol.name).baseline


def _step_ns(record: Record) -> float:
    time = step_ns(record)
    assert time is not None, "only trials with blocks are paired"
    return time
