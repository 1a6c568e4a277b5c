"""Bytes that a step moves at least, against what the machine copies: what bounds a step that multiplies little."""

from __future__ import annotations

from framebench.dataset.device_share import place_of
from framebench.pages import figures
from framebench.pages.evidence import Evidence, Group
from framebench.pages.views import Cell, Table
from framebench.pages.words import _, result_name
from harness import workloads


def traffic_table(group: Group, evidence: Evidence, up: str) -> Table:
    """Each contender's bytes per second, and their share of the best copy of its device.

    No rows where the workload declares no traffic, in another precision than fp32, which it is declared for, and for
    results of another configuration of the workload than today's.
    """
    case = group.case
    spec = workloads.get(case.workload)
    preset = spec.presets.get(case.preset)
    if spec.traffic is None or preset is None or case.precision != "fp32":
        return Table([], [])
    moved, config = spec.traffic(preset, case.batch, case.task), spec.config_sha256(preset)
    rows = []
    for result in group.timed:
        if result.time_ns is None or result.latest.workload_config_sha256 != config:
            continue
        rate = moved / result.time_ns.value * 1e9
        place = place_of(result.latest)
        ceiling = evidence.dataset.ceilings.get(place) if place else None
        rows.append(
            [
                Cell(result_name(result), href=f"{up}results/{result.id}/", stack=result.contender.stack),
                Cell(figures.bytes_rate(rate), "fb-num"),
                Cell(figures.percent(rate / ceiling.copy if ceiling and ceiling.copy else None), "fb-num"),
            ]
        )
    return Table([_("Contender"), _("Bytes per second, at least"), _("of the measured copy")], rows)
