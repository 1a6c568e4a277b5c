"""What it costs a training that its batches come from files."""

from __future__ import annotations

from framebench.dataset.fed import fed_results
from framebench.language import _
from framebench.pages import figures
from framebench.pages.evidence import Evidence, Group
from framebench.pages.views import Cell, Table
from framebench.pages.words import result_name


def feeding_table(group: Group, evidence: Evidence, up: str) -> Table:
    """Each contender's step from files, the same step on ready batches, and how many times as long it is."""
    rows = []
    for one in fed_results(group.timed, evidence.by_case):
        long = one.times_as_long
        ratio, interval = figures.with_interval(long.value, long.low, long.high)
        rows.append(
            [
                Cell(result_name(one.fed), href=f"{up}results/{one.fed.id}/", stack=one.fed.contender.stack),
                Cell(figures.duration(one.fed.time_ns.value if one.fed.time_ns else None), "fb-num"),
                Cell(
                    figures.duration(one.ready.time_ns.value if one.ready.time_ns else None),
                    "fb-num",
                    href=f"{up}results/{one.ready.id}/",
                ),
                Cell(f"{ratio}×", "fb-num"),
                Cell(interval or figures.NONE, "fb-num"),
            ]
        )
    head = [_("Contender"), _("Step from files"), _("Step, ready"), _("Time ÷ ready"), _("95 % interval")]
    return Table(head, rows)
