"""What more devices bring, as a table."""

from __future__ import annotations

from framebench.dataset.scaling import scaling
from framebench.language import N_, _
from framebench.pages import figures
from framebench.pages.evidence import Evidence, Group
from framebench.pages.views import Cell, Table
from framebench.pages.words import result_name

HELD = {"whole": N_("the whole batch"), "per device": N_("the batch of a device")}
NUM = "fb-num"


def scaling_table(group: Group, evidence: Evidence, up: str) -> Table:
    """Each contender on several devices, beside itself on one; no rows where the case has one device."""
    rows = []
    for one in scaling(group.timed, evidence.by_case):
        speed, _interval = figures.with_interval(one.speed.value, one.speed.low, one.speed.high)
        ends = (one.efficiency.low, one.efficiency.high)
        interval = figures.NONE if None in ends else " – ".join(figures.percent(end) for end in ends)
        rows.append(
            [
                Cell(
                    result_name(one.shared),
                    href=f"{up}results/{one.shared.id}/",
                    stack=one.shared.contender.stack,
                ),
                Cell(_(HELD[one.held])),
                Cell(
                    figures.duration(one.alone.time_ns.value if one.alone.time_ns else None),
                    NUM,
                    href=f"{up}results/{one.alone.id}/",
                ),
                Cell(figures.duration(one.shared.time_ns.value if one.shared.time_ns else None), NUM),
                Cell(f"{speed}×", NUM),
                Cell(figures.percent(one.efficiency.value), NUM),
                Cell(interval, NUM),
            ]
        )
    head = [
        _("Contender"),
        _("Same on both sides"),
        _("Step, one device"),
        _("Step, shared"),
        _("Speed ÷ one device"),
        _("Efficiency"),
        _("95 % interval"),
    ]
    return Table(head, rows)
