"""The ladder in words and as a table: on the home page and in the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from framebench.dataset.answers import Question
from framebench.dataset.case_comparisons import CaseComparison
from framebench.dataset.ladder import Ladder, Rung
from framebench.pages import figures
from framebench.pages.answer_words import title
from framebench.pages.views import Cell, Table
from framebench.pages.words import _, cores_or_device, executor_name, precision_name, result_name


class LadderView(NamedTuple):
    """``lead`` says over what, ``incomplete`` who lacks which cases (a line each)."""

    lead: str
    table: Table
    incomplete: list[str]


def view(ladders: Sequence[Ladder]) -> LadderView | None:
    """That of the machine and precision with most kinds of work; null where there is none."""
    return LadderView(lead(ladders[0]), _table(ladders[0]), incomplete(ladders[0])) if ladders else None


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


def _table(ladder: Ladder) -> Table:
    rows = []
    for rung in ladder.rungs:
        ratio, interval = speed(rung)
        name = result_name(rung.result)
        rows.append(
            [
                Cell(name, stack=rung.result.contender.stack),
                Cell(place(rung), "fb-num"),
                Cell(f"{ratio}×", "fb-num"),
                Cell(interval or figures.NONE, "fb-num"),
            ]
        )
    return Table([_("Contender"), _("Place"), _("Speed ÷ baseline"), _("95 % interval")], rows)


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
