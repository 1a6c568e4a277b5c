"""The page of reliability: of the trials that were started, how many ended well, and how the others ended."""

from __future__ import annotations

from typing import Any

from framebench.dataset import reliability
from framebench.dataset.reliability import Reliability
from framebench.language import _
from framebench.pages import figures
from framebench.pages.evidence import Evidence
from framebench.pages.host import ids
from framebench.pages.stack import names
from framebench.pages.views import Cell, Table
from framebench.pages.words import stack_name, status_name


def view(evidence: Evidence) -> dict[str, Any]:
    """Everything the template ``reliability.md.j2`` needs."""
    records = evidence.dataset.records
    pages, hosts = names(), ids(evidence)
    stacks = [
        _row(one, Cell(stack_name(one.name), href=f"../stacks/{one.name}/" if one.name in pages else None))
        for one in reliability.by_stack(records)
    ]
    machines = [
        _row(one, Cell(one.name, code=True, href=f"../hosts/{one.name}/" if one.name in hosts else None))
        for one in reliability.by_host(records)
    ]
    months = [_row(one, Cell(one.name)) for one in reliability.by_month(records)]
    return {
        "tables": [
            (_("By stack"), _table(_("Stack"), stacks)),
            (_("By host"), _table(_("Host"), machines)),
            (_("By month"), _table(_("Month (UTC)"), months)),
        ]
        if records
        else [],
    }


def _table(first: str, rows: list[list[Cell]]) -> Table:
    head = [first, _("Trials"), _("Ended well"), _("Share"), _("95 % interval"), _("How others ended")]
    return Table([*head, _("Unsupported")], rows)


def _row(one: Reliability, name: Cell) -> list[Cell]:
    interval = figures.NONE
    if one.low is not None and one.high is not None:
        interval = f"{figures.percent(one.low, 3)}\u2009–\u2009{figures.percent(one.high, 3)}"
    others = "; ".join(f"{status_name(status)}: {count}" for status, count in one.failures.items())
    return [
        name,
        Cell(str(one.trials), "fb-num"),
        Cell(str(one.ok), "fb-num"),
        Cell(figures.percent(one.share, 3), "fb-num"),
        Cell(interval, "fb-num"),
        Cell(others or figures.NONE, "fb-reason"),
        Cell(str(one.unsupported), "fb-num"),
    ]
