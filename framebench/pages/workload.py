"""The pages of workloads: what the work is, the implementations side by side, and what came out."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from framebench.dataset import declared
from framebench.dataset.price_of_a_call import CALL
from framebench.language import _, prose
from framebench.pages import compare, figures, learning, proofs, source, specification
from framebench.pages.chart import Chart, chart
from framebench.pages.compiling import compiling_table, loop_table
from framebench.pages.evidence import Evidence, Group
from framebench.pages.feeding import feeding_table
from framebench.pages.phases import phases_table
from framebench.pages.pictures import pictures_of
from framebench.pages.scaling import scaling_table
from framebench.pages.source import SourceFile
from framebench.pages.traffic import traffic_table
from framebench.pages.views import Cell, Plot, Table
from framebench.pages.what_it_takes import what_it_takes
from framebench.pages.words import families_and_libraries, result_name
from harness import workloads


class CaseView(NamedTuple):
    """The results of one group on its workload's page."""

    anchor: str
    title: str
    note: str
    chart: Chart
    phases: Table
    loop: Table
    compiling: Table
    utilization: Table
    traffic: Table
    feeding: Table
    scaling: Table
    learning: Plot | None
    learned: Table


def names() -> list[str]:
    """Every workload of the harness whose specification can be read."""
    return [name for name in workloads.names() if name not in workloads.broken()]


def is_called(name: str) -> bool:
    """Whether a step of the workload may be a single call."""
    return CALL in declared.workload(name).tasks


def index(evidence: Evidence) -> dict[str, Any]:
    """The list of workloads."""
    rows = []
    for name in names():
        groups = [group for group in evidence.groups if group.case.workload == name]
        results = [r for r in evidence.dataset.results if r.case.workload == name and not r.superseded]
        rows.append(
            [
                Cell(name, href=f"{name}/", code=True),
                Cell(summary(evidence.root, name), "fb-reason"),
                Cell(", ".join(one.name for one in implementations(evidence.root, name)), "fb-reason"),
                Cell(str(len({group.case.path for group in groups})), "fb-num"),
                Cell(str(len(results)), "fb-num"),
            ]
        )
    return {
        "title": _("Workloads"),
        "lead": _(
            "A workload is a model with its data, loss and optimizer, specified once and implemented once "
            "per framework, as that framework's community would write it."
        ),
        "table": Table(
            [_("Workload"), _("What it is"), _("Written for"), _("Cases measured"), _("Results")], rows
        ),
        "empty": _("There is no workload."),
    }


def view(name: str, evidence: Evidence) -> dict[str, Any]:
    """Everything the template ``workload.md.j2`` needs."""
    spec = _specification(evidence.root, name)
    groups = [group for group in evidence.groups if group.case.workload == name]
    text = source.docstring(spec.code) if spec else ""
    return {
        "name": name,
        "summary": summary(evidence.root, name),
        "description": prose(text.partition("\n")[2].strip()),
        "calls": is_called(name),
        "cases": [_case(group, groups, evidence) for group in groups],
        "takes": what_it_takes(name, evidence, "../../"),
        "pictures": pictures_of(name),
        "proven": proofs.view(evidence.root, name),
        "sources": implementations(evidence.root, name),
        "spec_file": spec,
        **specification.view(name),
    }


def summary(root: Path, name: str) -> str:
    """The first line of its specification's docstring: what the workload is."""
    spec = _specification(root, name)
    return _(source.first_line(source.docstring(spec.code))) if spec else name


def implementations(root: Path, name: str) -> list[SourceFile]:
    """The model in each framework and library that has one."""
    every = [
        source.read(root, f"harness/workloads/{name}/{code}.py", title)
        for code, title in families_and_libraries().items()
    ]
    return [one for one in every if one is not None]


def files(root: Path, name: str) -> list[SourceFile]:
    """All that the page of a workload prints."""
    spec = _specification(root, name)
    return [*implementations(root, name), *([spec] if spec else [])]


def _specification(root: Path, name: str) -> SourceFile | None:
    return source.read(root, f"harness/workloads/{name}/spec.py")


def _case(group: Group, groups: list[Group], evidence: Evidence) -> CaseView:
    learned = learning.group_table(group, "../../")
    return CaseView(
        anchor=group.anchor,
        title=compare.heading(group.case),
        note=compare.note(group),
        chart=chart(group, "../../"),
        phases=phases_table(group, groups, "../../"),
        loop=loop_table(group, "../../"),
        compiling=compiling_table(group, "../../"),
        utilization=_utilization(group, "../../"),
        traffic=traffic_table(group, evidence, "../../"),
        feeding=feeding_table(group, evidence, "../../"),
        scaling=scaling_table(group, evidence, "../../"),
        learning=learning.of_group(group) if learned.rows else None,
        learned=learned,
    )


def _utilization(group: Group, up: str) -> Table:
    """How much of the machine each contender used; no rows where neither a peak nor a ceiling is known."""
    rows = []
    for result in group.timed:
        share = result.utilization
        if share is None or (share.mfu is None and share.ceiling_share is None):
            continue
        name = result_name(result)
        rows.append(
            [
                Cell(name, href=f"{up}results/{result.id}/", stack=result.contender.stack),
                Cell(figures.flops_rate(share.flops_per_s), "fb-num"),
                Cell(figures.percent(share.mfu), "fb-num"),
                Cell(figures.percent(share.ceiling_share), "fb-num"),
                Cell(share.precision or figures.NONE),
            ]
        )
    head = [_("Contender"), _("Model FLOP/s"), "MFU", _("of the measured ceiling"), _("Precision")]
    return Table(head, rows)
