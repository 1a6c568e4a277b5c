"""The ladder in words and as a table: on the home page and in the terminal."""

from __future__ import annotations

import itertools
import string
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from framebench.dataset.answers import Question
from framebench.dataset.case_comparisons import CaseComparison
from framebench.dataset.ladder import Ladder, Rung
from framebench.language import N_, _
from framebench.pages import figures
from framebench.pages.answer_words import title
from framebench.pages.views import Cell, Scatter, Table, scatter
from framebench.pages.words import cores_or_device, executor_name, precision_name, result_name

NEEDS = {"energy": N_("Energy ÷ baseline"), "memory": N_("Memory ÷ baseline")}
TITLES = {"energy": N_("Speed against energy"), "memory": N_("Speed against memory")}


class LadderView(NamedTuple):
    """``lead`` says over what, ``incomplete`` who lacks which cases (a line each). ``needs`` shows speed against what
    it takes; null where fewer than two tell it."""

    lead: str
    table: Table
    needs: Scatter | None
    incomplete: list[str]


def view(ladders: Sequence[Ladder]) -> LadderView | None:
    """That of the machine and precision with most kinds of work; null where there is none."""
    if not ladders:
        return None
    first = ladders[0]
    return LadderView(lead(first), _table(first), _scatter(first), incomplete(first))


def lead(ladder: Ladder) -> str:
    """Over which cases, where, and against whom."""
    first = ladder.cases[0]
    text = _(
        "Speed over that of {baseline}, geometric mean over {n} cases ({cases}) on one machine: {where}. A place is a "
        "range: all that 95 % confidence leaves open."
    )
    parts = [
        first.host_id,
        cores_or_device(first.case),
        precision_name(first.case),
        executor_name(first.executor),
        _("suite {name}").format(name=first.protocol.name),
    ]
    return text.format(
        baseline=result_name(ladder.baseline),
        n=len(ladder.cases),
        cases=", ".join(_names(ladder, ladder.cases)),
        where=", ".join(parts),
    )


def incomplete(ladder: Ladder) -> list[str]:
    """Who has no place because cases are missing, and which."""
    return [
        _("{name}: no ranked figure for {cases}").format(
            name=result_name(one.result), cases=", ".join(_names(ladder, one.missing))
        )
        for one in ladder.incomplete
    ]


def place(rung: Rung) -> str:
    """``2`` or ``1 – 3``."""
    best, worst = rung.rank
    return str(best) if best == worst else f"{best}\u2009–\u2009{worst}"


def speed(rung: Rung) -> tuple[str, str]:
    """Speed over the baseline's, and its interval."""
    mean = rung.time_ratio
    assert mean.value is not None  # a rung has every case
    # Times were averaged; speed is their reciprocal, so the ends change places.
    ends = (1 / mean.high, 1 / mean.low) if mean.low and mean.high else (None, None)
    return figures.with_interval(1 / mean.value, *ends)


def need(rung: Rung) -> str:
    """What it needs over the baseline's need."""
    return figures.ratio(rung.need)


def _table(ladder: Ladder) -> Table:
    rows = []
    for letter, rung in zip(_letters(), ladder.rungs, strict=False):
        ratio, interval = speed(rung)
        name = result_name(rung.result)
        rows.append(
            [
                Cell(f"{letter} · {name}", "fb-name", stack=rung.result.contender.stack),
                Cell(place(rung), "fb-num"),
                Cell(_("baseline") if rung.is_baseline else f"{ratio}×", "fb-num"),
                Cell(interval or figures.NONE, "fb-num"),
                Cell(need(rung), "fb-num"),
            ]
        )
    head = [_("Contender"), _("Place"), _("Speed ÷ baseline"), _("95 % interval"), _(NEEDS[ladder.needed])]
    return Table(head, rows)


def _scatter(ladder: Ladder) -> Scatter | None:
    """Up is faster, left needs less."""
    points = [
        (letter, result_name(one.result), one.need, 1 / one.time_ratio.value, one.result.contender.stack)
        for letter, one in zip(_letters(), ladder.rungs, strict=False)
        if one.need is not None and one.time_ratio.value
    ]
    if len(points) < 2:
        return None
    return scatter(_(TITLES[ladder.needed]), points, (_(NEEDS[ladder.needed]), _("Speed ÷ baseline")))


def _letters() -> Iterator[str]:
    """A to Z, then AA, AB and so on."""
    for length in itertools.count(1):
        yield from map("".join, itertools.product(string.ascii_uppercase, repeat=length))


def _names(ladder: Ladder, cases: Sequence[CaseComparison]) -> list[str]:
    """``Train gpt``; with preset and batch where the ladder has several of one kind."""
    kinds = Counter(Question(case.case.workload, case.case.task) for case in ladder.cases)
    return [_name(case, kinds) for case in cases]


def _name(case: CaseComparison, kinds: Counter[Question]) -> str:
    what = case.case
    question = Question(what.workload, what.task)
    name = title(question)
    if kinds[question] == 1:
        return name
    return _("{name} ({preset}, batch {n})").format(name=name, preset=what.preset, n=what.batch)
