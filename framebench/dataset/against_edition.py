"""A new campaign against an edition: is any contender slower than what was recorded on the same kind of machine?

Only the same work is held against each other: case, contender, work hash, protocol and executor, on machines of one id
(for a case on GPUs: with GPUs of one name). The environments may differ: they are what the question is about.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from framebench.dataset.case_comparisons import comparable
from framebench.dataset.grouping import results
from framebench.dataset.new_against_old import Held, Hosts, Pair, asked_about, hold, ln_median, machine, work
from framebench.dataset.result import Result
from framebench.images import plain_name
from framebench.statistics.bound import Answer
from harness.record import Record


class Apart(NamedTuple):
    """A new result that the edition has nothing for, and why."""

    new: Result
    because: str


class AgainstEdition(NamedTuple):
    """``held`` and ``apart`` in the order of the new results. ``missing``: timed ones of the edition on machines of
    the same kind that were not measured anew."""

    held: list[Held]
    apart: list[Apart]
    missing: list[Result]

    @property
    def answer(self) -> Answer:
        """``fail`` if one failed, ``pass`` if all passed."""
        answers = {one.answer for one in self.held}
        if "fail" in answers:
            return "fail"
        return "pass" if answers == {"pass"} else "undecided"


def against_edition(new: Iterable[Record], edition: Iterable[Record]) -> AgainstEdition:
    """Every contender of ``new`` that the edition has a time for; all of them are one family (Holm)."""
    sides = results(new), results(edition)
    fresh, recorded = ([one for one in side if asked_about(one)] for side in sides)
    fresh = [one for one in fresh if not one.superseded]
    by_work: dict[tuple[object, ...], list[Result]] = defaultdict(list)
    for one in recorded:
        by_work[work(one)] += [one] if comparable(one) else []
    pairs: list[Pair] = []
    apart: list[Apart] = []
    for one in fresh:
        if alike := by_work.get(work(one)):
            pairs.append(Pair(one, max(alike, key=lambda old: _nearness(one, old))))
        else:
            apart.append(Apart(one, _why_apart(one, recorded)))
    measured, machines = {work(one) for one in fresh}, {machine(one) for one in fresh}
    missing = [
        one
        for one in recorded
        if comparable(one) and not one.superseded and machine(one) in machines and work(one) not in measured
    ]
    return AgainstEdition(hold(pairs, Hosts(sides), _controls(pairs)), apart, missing)


def _controls(pairs: Sequence[Pair]) -> list[list[float]]:
    """For each pair, how much longer the contenders of its case take now that have one environment on both sides."""
    controls: dict[tuple[object, ...], list[float]] = defaultdict(list)
    for pair in pairs:
        if pair.unchanged and comparable(pair.new):
            new, old = map(ln_median, (pair.new.step_ns, pair.old.step_ns))
            controls[machine(pair.new), pair.new.case].append(new - old)
    return [controls[machine(pair.new), pair.new.case] for pair in pairs]


def _nearness(new: Result, old: Result) -> tuple[object, ...]:
    """Of several recorded ones the one in the same row of the matrix, with own builds or without, and the newest."""
    names = [plain_name(one.image.name or "") for one in (new, old)]
    return names[0] == names[1], old.started_utc, old.id


def _why_apart(new: Result, recorded: Iterable[Result]) -> str:
    """The first thing in which every recorded result of the contender in the case differs."""
    rest = [one for one in recorded if (one.case, one.contender) == (new.case, new.contender)]
    for words, same in (
        ("recorded on other machines only", lambda one: machine(one) == machine(new)),
        ("recorded by another executor", lambda one: one.executor == new.executor),
        ("recorded with another protocol", lambda one: one.protocol == new.protocol),
        ("the work is another: the harness has changed since", lambda one: one.work_hash == new.work_hash),
        ("the recorded trials have no time", comparable),
    ):
        if not rest:
            break
        rest, before = [one for one in rest if same(one)], rest
        if not rest and before:
            return words
    return "not in the edition"
