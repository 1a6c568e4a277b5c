"""What is claimed of speed, against what was measured: a ratio in every case that has both sides, and a verdict.

A claim is that the ratio of two speeds lies in a range. Its verdict in a case follows from the 95 % interval of the
measured ratio, widened at both ends by what counts as equal on that host: it holds if that lies wholly inside the
range, does not hold if wholly outside, and is undecided otherwise. A sentence without a condition speaks of every
case: one in which it does not hold is enough.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from framebench.dataset.answers import timed
from framebench.dataset.case_comparisons import CaseComparison
from framebench.dataset.dataset import Dataset
from framebench.dataset.every_baseline import Compared
from framebench.dataset.result import Result
from framebench.records.identity import group_key
from harness.record import PHASES, Case, Contender

Outcome = Literal["holds", "does not hold", "undecided", "not ranked"]
Verdict = Literal["holds", "does not hold", "undecided", "not measured"]
Side = Callable[[Contender], bool]
"""Which contenders of a case speak for one side; the fastest of them does."""


@dataclass(frozen=True)
class Pair:
    """The first side is claimed to be so many times as fast as the second."""

    faster: Side
    slower: Side

    def results(self, timed: Sequence[Result]) -> tuple[Result, Result] | None:
        """The fastest of each side; ``timed`` has the fastest first. Null where a side is missing."""
        one = next((result for result in timed if self.faster(result.contender)), None)
        other = next((result for result in timed if self.slower(result.contender)), None)
        return (one, other) if one and other else None


@dataclass(frozen=True)
class Extremes:
    """The fastest of several sides is claimed to be so many times as fast as the slowest of them."""

    sides: tuple[Side, ...]

    def results(self, timed: Sequence[Result]) -> tuple[Result, Result] | None:
        """The best of the fastest and of the slowest side; null where a side is missing."""
        best = [next((one for one in timed if side(one.contender)), None) for side in self.sides]
        there = [one for one in timed if any(one is other for other in best)]
        return (there[0], there[-1]) if None not in best else None


@dataclass(frozen=True)
class Claim:
    """``low`` to ``high`` (null: no upper end) is the claimed ratio of speeds, ``fits`` the cases it speaks of."""

    sides: tuple[Pair | Extremes, ...]
    low: float = 1.0
    high: float | None = None
    fits: Callable[[Case], bool] = lambda case: True


class Finding(NamedTuple):
    """One case: ``faster`` over ``slower``, as speeds, and what follows for the claim."""

    case: CaseComparison
    faster: Result
    slower: Result
    measured: Compared
    outcome: Outcome

    @property
    def equal_within(self) -> float:
        """The relative difference that counts as equal on this host."""
        return math.expm1(self.case.equal_within)


class Judgement(NamedTuple):
    """A claim over all cases; ``findings`` in the order of cases."""

    verdict: Verdict
    findings: list[Finding]

    def count(self, outcome: Outcome) -> int:
        """In how many comparisons this came out."""
        return sum(finding.outcome == outcome for finding in self.findings)


def judge(claim: Claim, data: Dataset) -> Judgement:
    """Every case that has both sides with an interval between them; phases of a step are no cases of their own."""
    findings = []
    for case in data.comparisons:
        if case.case.task in PHASES or not claim.fits(case.case):
            continue
        members = timed(case)
        pairs = [side.results(members) for side in claim.sides]
        every = [_finding(claim, case, *pair, data) for pair in pairs if pair]
        findings += [one for one in every if one is not None]
    return Judgement(_verdict([one.outcome for one in findings]), findings)


def _finding(
    claim: Claim, case: CaseComparison, faster: Result, slower: Result, data: Dataset
) -> Finding | None:
    """Null where the two have no interval: too few rounds."""
    measured = data.baselines[group_key(slower)].get(slower.label, {}).get(faster.id)
    if measured is None or measured.low is None or measured.high is None:
        return None
    outcome: Outcome = "not ranked"
    if faster.ranked and slower.ranked:
        outcome = _outcome(claim, measured.low, measured.high, math.exp(case.equal_within))
    return Finding(case, faster, slower, measured, outcome)


def _outcome(claim: Claim, low: float, high: float, equal: float) -> Outcome:
    low, high = low / equal, high * equal
    top = math.inf if claim.high is None else claim.high
    if claim.low <= low and high <= top:
        return "holds"
    return "does not hold" if high < claim.low or low > top else "undecided"


def _verdict(outcomes: Sequence[Outcome]) -> Verdict:
    if "does not hold" in outcomes:
        return "does not hold"
    if "holds" in outcomes:
        return "holds"
    return "undecided" if "undecided" in outcomes else "not measured"
