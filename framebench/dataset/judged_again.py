"""The verdict of a reproduction, and all that its document says of ratios: from the recorded and the new trials."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from framebench.dataset.paired_rounds import Pair
from framebench.dataset.quiet import disturbed, set_aside, too_busy
from framebench.statistics.ratio_of_ratios import Reproduced, reproduced


class Judged(NamedTuple):
    """The verdict on the rounds that count. ``busy`` of them were disturbed; ``left_out`` others do not count."""

    verdict: Reproduced
    rounds: int
    busy: int
    left_out: int
    recorded_ratio_ln: float
    new_ratio_ln: float

    def figures(self) -> dict[str, object]:
        """What follows from the trials of what a reproduction's document holds, by field."""
        return {
            "rounds": self.rounds,
            "recorded_ratio": math.exp(self.recorded_ratio_ln),
            "new_ratio": math.exp(self.new_ratio_ln),
            "ratio_of_ratios": self.verdict.ratio,
            "low": self.verdict.low,
            "high": self.verdict.high,
            "bound": self.verdict.bound,
            "verdict": self.verdict.verdict,
            "rounds_needed": self.verdict.rounds_needed,
            "busy_rounds": self.busy,
        }


def judge_again(recorded: np.ndarray, new: Pair, noise: float | None) -> Judged:
    """Whether the recorded ratio holds; never a verdict, nor a promise of one, where others kept the cores busy.

    ``recorded``: ln ratios (rounds,). ``new`` has at least one round. ``noise``: the recorded host's A/A noise (ln).
    """

    def busy(number: int) -> bool:
        return any(disturbed(record) for record in (new.contender[number], new.baseline[number]))

    measured = new.shared()
    counted = set_aside(measured, busy)
    pair = new.only(counted)
    ratios = pair.log_ratios()
    verdict = reproduced(recorded, ratios, noise)
    count = sum(map(busy, counted))
    if too_busy(count, len(counted)):
        verdict = verdict._replace(verdict="undecided", rounds_needed=None)
    return Judged(
        verdict,
        len(counted),
        count,
        len(measured) - len(counted),
        float(recorded.mean()),
        float(ratios.mean()),
    )
