"""Cells that the guides share: a ratio with its interval and verdict, a case, a contender."""

from __future__ import annotations

from framebench.dataset import CaseComparison, Result
from framebench.dataset.every_baseline import Compared
from framebench.pages import figures
from framebench.pages.compiling import ratio_and_interval
from framebench.pages.evidence import Group
from framebench.pages.views import Cell
from framebench.pages.words import result_name, verdict_name

NUM = "fb-num"
UP = "../../"


def ratio_cell(compared: Compared | None) -> Cell:
    """``1.36× (1.17 – 1.59), faster``; – where the two were not timed in one case."""
    if compared is None:
        return Cell(figures.NONE)
    ratio, interval = ratio_and_interval(compared)
    span = f" ({interval})" if interval != figures.NONE else ""
    return Cell(f"{ratio}{span}, {verdict_name(compared.verdict)}")


def case_cell(case: CaseComparison) -> Cell:
    """Which case, with a link to all its contenders."""
    group = Group(case)
    return Cell(group.short_title, "fb-reason", href=f"{UP}compare/#{group.anchor}")


def place_cell(case: CaseComparison) -> Cell:
    """Where it was measured."""
    return Cell(Group(case).place, "fb-reason")


def result_cell(result: Result) -> Cell:
    """The contender, with a link to its result."""
    return Cell(result_name(result), href=f"{UP}results/{result.id}/", stack=result.contender.stack)


def duration_cell(nanoseconds: float | None) -> Cell:
    """A time."""
    return Cell(figures.duration(nanoseconds), NUM)
