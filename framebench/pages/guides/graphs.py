"""Dynamic and static graphs: how each framework writes a path that the data decide, and what compiling makes of it."""

from __future__ import annotations

import ast
from typing import Any, NamedTuple

from framebench.dataset.compiled_pairs import compiled_pairs
from framebench.pages import source
from framebench.pages.chart import Chart, chart
from framebench.pages.evidence import Evidence, Group
from framebench.pages.guides.compilers import gain_table, overview
from framebench.pages.guides.ratio_cells import UP
from framebench.pages.source import SourceFile
from framebench.pages.views import Table
from framebench.pages.words import _, families
from harness import workloads

WORKLOAD = "control_flow"  # the one whose subject this is


class Form(NamedTuple):
    """One kind of path that depends on the data: what is computed, and the code of each framework."""

    name: str
    meaning: str
    code: list[SourceFile]


class CaseView(NamedTuple):
    """All contenders of one case, and compiled beside eager."""

    title: str
    chart: Chart
    gain: Table


def view(evidence: Evidence) -> dict[str, Any]:
    """Everything the template ``guides/graphs.md.j2`` needs."""
    files = _files(evidence)
    pairs = [(group, compiled_pairs(group.timed, group.against)) for group in evidence.groups]
    return {
        "title": _("Dynamic and static graphs"),
        "lead": _(
            "PyTorch is praised for its dynamic graph, TensorFlow for its static one. Today each framework has both. "
            "What they mean for your code, and what they cost where the data decide the path."
        ),
        "workload": WORKLOAD,
        "workload_href": f"{UP}workloads/{WORKLOAD}/",
        "sources": files,
        "forms": _forms(files),
        "cases": [
            CaseView(_title(group), chart(group, UP), gain_table(some))
            for group, some in pairs
            if group.case.workload == WORKLOAD
        ],
        "elsewhere": overview([(group, some) for group, some in pairs if group.case.workload != WORKLOAD]),
    }


def _title(group: Group) -> str:
    return f"{group.case.preset}, {group.place}"


def _files(evidence: Evidence) -> list[SourceFile]:
    """The workload in each framework that has a file for it."""
    every = [
        source.read(evidence.root, f"harness/workloads/{WORKLOAD}/{code}.py", title)
        for code, title in families().items()
    ]
    return [one for one in every if one is not None]


def _forms(files: list[SourceFile]) -> list[Form]:
    """Each preset is a form; its code is what each file calls by its name."""
    if WORKLOAD not in workloads.names() or WORKLOAD in workloads.broken():
        return []
    spec = workloads.get(WORKLOAD)
    return [
        Form(
            name,
            spec.decisions.get(name, ""),
            [file._replace(code=code) for file in files if (code := _piece(file.code, name))],
        )
        for name in spec.presets
    ]


def _piece(code: str, name: str) -> str:
    """The class or function of a file that is called ``name``, in either spelling: ``EarlyExit``, ``early_exit``."""
    pieces = (node for node in ast.parse(code).body if isinstance(node, ast.ClassDef | ast.FunctionDef))
    named = (node for node in pieces if node.name.replace("_", "").lower() == name.replace("_", ""))
    piece = next(named, None)
    return (ast.get_source_segment(code, piece) or "") if piece else ""
