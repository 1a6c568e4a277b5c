"""Where the time of an inference goes: the whole beside its phases, each timed by itself."""

from __future__ import annotations

import msgspec

from framebench.dataset import Result
from framebench.language import _
from framebench.pages import figures
from framebench.pages.evidence import Group
from framebench.pages.views import Cell, Table
from framebench.pages.words import result_name, task_name
from harness.record import PHASES


def phases_table(group: Group, groups: list[Group], up: str) -> Table:
    """Time per step of each contender of an inference, whole and by phase; no rows where no phase was timed.

    Phases are those of the same case but for its task, measured at the same place. What each takes is shown as a
    share of their sum, which need not be the whole: by itself a phase is started from outside, and a compiler
    cannot join it to the next.
    """
    if group.case.task != "infer":
        return Table([], [])
    beside = {one.case.task: one for one in groups if _same_but_for_task(group, one)}
    timed = [phase for phase in PHASES if phase in beside]
    rows = [
        _row(result, [_of(result, beside[phase]) for phase in timed], up) for result in group.timed if timed
    ]
    head = [_("Contender"), _("Whole step"), *(task_name(phase) for phase in timed), _("Sum ÷ whole")]
    return Table(head, rows)


def _same_but_for_task(group: Group, other: Group) -> bool:
    if other.key[1:] != group.key[1:]:
        return False
    return group.case == msgspec.structs.replace(other.case, task=group.case.task)


def _of(result: Result, phase: Group) -> Result | None:
    return next((one for one in phase.timed if one.label == result.label), None)


def _row(result: Result, phases: list[Result | None], up: str) -> list[Cell]:
    times = [one.time_ns.value if one and one.time_ns else None for one in phases]
    known = [time for time in times if time is not None]
    whole = result.time_ns.value if result.time_ns else None
    together = sum(known) if len(known) == len(times) else None
    return [
        Cell(result_name(result), href=f"{up}results/{result.id}/", stack=result.contender.stack),
        Cell(figures.duration(whole), "fb-num"),
        *(
            Cell(
                f"{figures.duration(time)} ({figures.percent(time / together)})"
                if time is not None and together
                else figures.duration(time),
                "fb-num",
                href=f"{up}results/{one.id}/" if one else None,
            )
            for time, one in zip(times, phases, strict=True)
        ),
        Cell(figures.ratio(together / whole if together and whole else None), "fb-num"),
    ]
