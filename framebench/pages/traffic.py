"""Bytes that a step moves at least, against what the machine copies, as a table."""

from __future__ import annotations

from framebench.dataset.traffic import traffic
from framebench.language import _
from framebench.pages import figures
from framebench.pages.evidence import Evidence, Group
from framebench.pages.views import Cell, Table
from framebench.pages.words import result_name


def traffic_table(group: Group, evidence: Evidence, up: str) -> Table:
    """Each contender's bytes per second, and their share of the best copy of its device; no rows where nothing is
    known of its traffic."""
    rows = []
    for result in group.timed:
        moved = traffic(result, evidence.dataset.ceilings)
        if moved is None:
            continue
        rows.append(
            [
                Cell(result_name(result), href=f"{up}results/{result.id}/", stack=result.contender.stack),
                Cell(figures.bytes_rate(moved.bytes_per_s), "fb-num"),
                Cell(figures.percent(moved.copy_share), "fb-num"),
            ]
        )
    return Table([_("Contender"), _("Bytes per second, at least"), _("of the measured copy")], rows)
