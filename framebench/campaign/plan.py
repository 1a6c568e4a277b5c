"""Plan: which trials a campaign runs, in which order, and what a budget leaves out.

A pure function of the suite, what is done already, and an estimate of each trial's time.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatch
from itertools import chain
from typing import NamedTuple

from framebench.campaign.suites import Suite, parse_contender
from framebench.statistics.looks import LOOKS
from harness.record import Case, Contender, TrialKind

MINIMUM_ROUNDS = 3  # below three rounds an interval says nothing (measurement protocol)


class Planned(NamedTuple):
    """One trial to run. Rounds count from 1; gates, memory and cold starts belong to round 0."""

    kind: TrialKind
    case: Case
    contender: Contender
    round: int


class Plan(NamedTuple):
    gates: list[Planned]  # parity, memory, cold starts: once per contender and case; one ceiling
    rounds: list[list[Planned]]  # each a seeded shuffle of every contender of every case
    done: int  # trials of this plan that are on disk already
    dropped: list[str]  # what the budget left out, in words
    estimate_s: float  # of what is still to run
    compared: Mapping[str, Sequence[Contender]] = {}  # by the case's path: whom it compares, done or not
    settled: tuple[str, ...] = ()  # cases that earlier looks finished, in words

    def trials(self) -> list[Planned]:
        """Everything still to run, in order."""
        return self.gates + [trial for batch in self.rounds for trial in batch]


Seconds = Callable[[Planned], float]
"""Estimated seconds of a trial."""

Done = Callable[[Planned], bool]
"""Is this trial on disk already, with the same image and the same work?"""

Settled = Callable[[Case, Sequence[Contender]], int | None]
"""The rounds after which a look found the case, as these contenders compare in it, precise enough; else null."""


TakesPart = Callable[[Case, Contender], bool]
"""Whether a contender is to be compared in a case, and can be."""


class _Selection(NamedTuple):
    cases: list[Case]
    contenders: list[Contender]
    rounds: int
    kinds: Sequence[TrialKind]
    takes_part: TakesPart

    def of(self, case: Case) -> list[Contender]:
        """Those of the contenders that take part in the case."""
        return [entrant for entrant in self.contenders if self.takes_part(case, entrant)]


def make(
    suite: Suite,
    cases: list[Case],
    contenders: list[Contender],
    *,
    seconds: Seconds,
    done: Done,
    settled: Settled,
    budget_s: float | None,
    seed: int,
    takes_part: TakesPart = lambda case, contender: True,
) -> Plan:
    """The trials of these cases and contenders, in order, within the budget (null = no limit).

    A case that a look has settled has no later rounds. Where looks may still free time, the plan goes on to
    the suite's last round, whatever the budget: the campaign's deadline ends it, and ``estimate_s`` covers
    what fits for sure.
    """
    known: dict[tuple[str, ...], int | None] = {}

    def last_round(case: Case, among: Sequence[Contender]) -> int | None:
        key = (case.path, *(entrant.slug for entrant in among))
        if key not in known:
            known[key] = settled(case, among)
        return known[key]

    def to_do(selection: _Selection) -> tuple[list[Planned], list[list[Planned]]]:
        ends = {case.path: last_round(case, selection.of(case)) for case in selection.cases}
        gates = [trial for trial in _gates(suite, selection) if not done(trial)]
        rounds = []
        for number in range(1, selection.rounds + 1):
            batch = [
                trial
                for trial in _round(selection, number, seed)
                if number <= (ends[trial.case.path] or number) and not done(trial)
            ]
            rounds += [batch] if batch else []
        return gates, rounds

    def cost(selection: _Selection) -> float:
        gates, rounds = to_do(selection)
        return sum(seconds(trial) for trial in [*gates, *chain.from_iterable(rounds)])

    whole = _Selection(cases, contenders, suite.rounds, suite.kinds, takes_part)
    whole = whole._replace(cases=[case for case in cases if whole.of(case)])
    fitted = whole if budget_s is None else _fit(suite, whole, cost, budget_s)
    selection = fitted._replace(rounds=suite.rounds) if fitted.rounds >= LOOKS[0] else fitted
    gates, rounds = to_do(selection)
    of_all = [*_gates(suite, selection), *_timed(selection, seed)]
    return Plan(
        gates=gates,
        rounds=rounds,
        done=sum(done(trial) for trial in of_all),
        dropped=_dropped(whole, fitted),
        estimate_s=cost(fitted),
        compared={case.path: selection.of(case) for case in selection.cases},
        settled=tuple(
            f"{case.path} after {rounds_done} rounds"
            for case in selection.cases
            if (rounds_done := last_round(case, selection.of(case))) is not None
        ),
    )


def _fit(suite: Suite, whole: _Selection, cost: Callable[[_Selection], float], budget_s: float) -> _Selection:
    """The widest selection that fits: headline first, then every kind of trial, more cases, every contender, rounds."""
    if cost(whole) <= budget_s:
        return whole
    least = min(MINIMUM_ROUNDS, suite.rounds)
    cases, contenders = _headline(suite, whole)
    kinds = [
        kind for kind in suite.kinds if not suite.headline or kind in (suite.headline.kinds or suite.kinds)
    ]
    costly = suite.headline.if_time_allows if suite.headline else []
    spared = [entrant for entrant in contenders if entrant.twin or entrant.slug not in costly]
    chosen = whole._replace(cases=cases, contenders=contenders, rounds=least, kinds=kinds)
    if spared and cost(chosen) > budget_s:
        chosen = chosen._replace(contenders=spared)
    while len(chosen.cases) > 1 and cost(chosen) > budget_s:
        chosen = chosen._replace(cases=chosen.cases[:-1])
    if cost(complete := chosen._replace(contenders=contenders)) <= budget_s:
        chosen = complete
    if len(chosen.cases) == len(cases):
        thorough = chosen._replace(kinds=whole.kinds)
        chosen = thorough if cost(thorough) <= budget_s else chosen
        for case in whole.cases:
            wider = chosen._replace(cases=[*chosen.cases, case])
            if case not in chosen.cases and cost(wider) <= budget_s:
                chosen = wider
        every = chosen._replace(contenders=whole.contenders)
        if len(chosen.cases) == len(whole.cases) and cost(every) <= budget_s:
            chosen = every
    while chosen.rounds < suite.rounds and cost(chosen._replace(rounds=chosen.rounds + 1)) <= budget_s:
        chosen = chosen._replace(rounds=chosen.rounds + 1)
    return chosen


def _headline(suite: Suite, whole: _Selection) -> tuple[list[Case], list[Contender]]:
    if suite.headline is None:
        return whole.cases, whole.contenders
    wanted = {parse_contender(slug).slug for slug in suite.headline.contenders}
    cases = [case for case in whole.cases if any(fnmatch(case.path, glob) for glob in suite.headline.cases)]
    contenders = [entrant for entrant in whole.contenders if entrant.twin or entrant.slug in wanted]
    return cases or whole.cases, contenders or whole.contenders


def _dropped(whole: _Selection, chosen: _Selection) -> list[str]:
    lines = [f"case {case.path}" for case in whole.cases if case not in chosen.cases]
    lines += [f"contender {entrant.slug}" for entrant in whole.contenders if entrant not in chosen.contenders]
    lines += [f"all {kind} trials" for kind in whole.kinds if kind not in chosen.kinds]
    if chosen.rounds < whole.rounds:
        unless = ", unless cases settled early leave the time" if chosen.rounds >= LOOKS[0] else ""
        lines.append(f"rounds {chosen.rounds + 1} to {whole.rounds}{unless}")
    return lines


def _gates(suite: Suite, selection: _Selection) -> list[Planned]:
    gates: list[Planned] = []
    for kind in selection.kinds:
        if kind == "ceiling":
            gates += _ceilings(suite, selection)
        elif kind != "timing":
            gates += [
                Planned(kind, case, entrant, 0)
                for case in selection.cases
                for entrant in selection.of(case)
                if not entrant.twin  # its gate, memory and cold start are its original's
            ]
    return gates


def _ceilings(suite: Suite, selection: _Selection) -> list[Planned]:
    """A ceiling is the machine's, not the work's: once for each device and precision, in the baseline's stack."""
    first: dict[tuple[str, str], Planned] = {}
    for case in selection.cases:
        for entrant in selection.of(case):
            if entrant.slug == suite.baseline:
                first.setdefault((case.device, case.precision), Planned("ceiling", case, entrant, 0))
    return [*first.values()]


def _round(selection: _Selection, number: int, seed: int) -> list[Planned]:
    """Every contender of a case once, the cases of a round one after the other."""
    batches = [shuffled_round(case, selection.of(case), number, str(seed)) for case in selection.cases]
    return [*chain.from_iterable(batches)]


def shuffled_round(case: Case, contenders: Sequence[Contender], number: int, seed: str) -> list[Planned]:
    """One round of one case: every contender timed once, in an order that follows from the seed."""
    batch = [Planned("timing", case, entrant, number) for entrant in contenders]
    random.Random(f"{seed} {case.path} {number}").shuffle(batch)
    return batch


def _timed(selection: _Selection, seed: int) -> Iterable[Planned]:
    for number in range(1, selection.rounds + 1):
        yield from _round(selection, number, seed)
