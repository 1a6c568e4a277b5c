"""Dynamic and static graphs: how each framework writes a path that the data decide, and what compiling makes of it."""

from __future__ import annotations

import ast
from typing import Any, NamedTuple

from framebench.language import _
from framebench.pages import workload
from framebench.pages.chart import Chart, chart
from framebench.pages.evidence import Evidence
from framebench.pages.guides.compilers import gain_table, overview
from framebench.pages.guides.ratio_cells import UP
from framebench.pages.source import SourceFile
from framebench.pages.views import Table
from harness import workloads


class Form(NamedTuple):
    """One kind of path that depends on the data: what is computed, and the code of each framework."""

    workload: str
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
    names = [name for name in workload.names() if decides(name)]
    files = {name: workload.implementations(evidence.root, name) for name in names}
    pairs = [(group, group.compiled_pairs) for group in evidence.groups]
    return {
        "title": _("Dynamic and static graphs"),
        "lead": _(
            "PyTorch is praised for its dynamic graph, TensorFlow for its static one. Today each framework has both. "
            "What they mean for your code, and what they cost where the data decide the path."
        ),
        "sources": [file for some in files.values() for file in some],
        "forms": [form for name, some in files.items() for form in _forms(name, some)],
        "cases": [
            CaseView(f"{group.short_title} – {group.place}", chart(group, UP), gain_table(some))
            for group, some in pairs
            if group.case.workload in names
        ],
        "elsewhere": overview([(group, some) for group, some in pairs if group.case.workload not in names]),
    }


def decides(name: str) -> bool:
    """Whether the data decide what a step of the workload does: its specification says which paths they choose."""
    return "paths" in workloads.get(name).data_facts


def _forms(name: str, files: list[SourceFile]) -> list[Form]:
    """Each preset is a form; its code is what each file calls by the preset's name."""
    spec = workloads.get(name)
    return [
        Form(
            name,
            preset,
            _(spec.decisions.get(preset, "")),
            [file._replace(code=code) for file in files if (code := _piece(file.code, preset))],
        )
        for preset in spec.presets
    ]


def _piece(code: str, name: str) -> str:
    """The class or function of a file that is called ``name``, in either spelling: ``EarlyExit``, ``early_exit``."""
    pieces = (node for node in ast.parse(code).body if isinstance(node, ast.ClassDef | ast.FunctionDef))
    named = (node for node in pieces if node.name.replace("_", "").lower() == name.replace("_", ""))
    piece = next(named, None)
    return (ast.get_source_segment(code, piece) or "") if piece else ""
