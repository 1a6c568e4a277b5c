"""The pages of workloads: what the work is, the implementations side by side, and what came out."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any, NamedTuple

from framebench.pages import compare, figures
from framebench.pages.chart import Chart, chart
from framebench.pages.compiling import accuracy_table, compiling_table, loop_table
from framebench.pages.evidence import Evidence, Group
from framebench.pages.views import Cell, Plot, Table, plot
from framebench.pages.words import _, framework, result_name, task_name
from harness import workloads

FAMILIES = ("torch", "tensorflow", "keras")


class SourceFile(NamedTuple):
    """One implementation, as it lies in the repository."""

    name: str
    path: str
    code: str


class CaseView(NamedTuple):
    """The results of one group on its workload's page."""

    title: str
    note: str
    chart: Chart
    loop: Table
    compiling: Table
    utilization: Table
    learning: Plot | None
    learned: Table


def names() -> list[str]:
    """Every workload folder of the harness."""
    return workloads.names()


def index(evidence: Evidence) -> dict[str, Any]:
    """The list of workloads."""
    rows = []
    for name in names():
        groups = [group for group in evidence.groups if group.case.workload == name]
        results = [r for r in evidence.dataset.results if r.case.workload == name and not r.superseded]
        text = description(evidence.root, name)
        rows.append(
            [
                Cell(name, href=f"{name}/", code=True),
                Cell(_summary(text), "fb-reason"),
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
        "table": Table([_("Workload"), _("What it is"), _("Cases measured"), _("Results")], rows),
        "empty": _("There is no workload."),
    }


def view(name: str, evidence: Evidence) -> dict[str, Any]:
    """Everything the template ``workload.md.j2`` needs."""
    folder = evidence.root / "harness" / "workloads" / name
    text = description(evidence.root, name)
    groups = [group for group in evidence.groups if group.case.workload == name]
    return {
        "name": name,
        "description": "\n".join(text.splitlines()[1:]).strip() or text,
        "summary": _summary(text),
        "spec": _specification(name),
        "cases": [_case(group) for group in groups],
        "sources": _sources(folder),
        "reference": _read(folder / "reference.py"),
    }


def description(root: Path, name: str) -> str:
    """The docstring of the workload's specification."""
    source = _read(root / "harness" / "workloads" / name / "spec.py")
    return ast.get_docstring(ast.parse(source)) or name


def _summary(text: str) -> str:
    """The docstring's first line without the workload's name."""
    first = text.splitlines()[0]
    line = first.partition(": ")[2] or first
    return line[:1].upper() + line[1:]


def _sources(folder: Path) -> list[SourceFile]:
    sources = []
    for family in FAMILIES:
        code = _read(folder / f"{family}.py")
        if code:
            path = f"harness/workloads/{folder.name}/{family}.py"
            sources.append(SourceFile(framework(family), path, code))
    return sources


def _specification(name: str) -> Table:
    """One column per preset; nested settings in one line each."""
    spec = workloads.get(name)
    presets = list(spec.presets)
    flat = {preset: _flat(spec.config(preset)) for preset in presets}
    keys = list(dict.fromkeys(key for preset in presets for key in flat[preset]))
    keys = [key for key in keys if key not in ("workload", "preset")]
    rows = [
        [Cell(key), *(Cell(flat[p].get(key, figures.NONE), "fb-reason") for p in presets)] for key in keys
    ]
    for task in ("train", "infer"):
        work = [figures.flops(spec.flops(preset, 1, task)) for preset in presets]
        label = _("work per sample, {task}").format(task=task_name(task))
        rows.append([Cell(label), *(Cell(text) for text in work)])
    return Table([_("Setting"), *presets], rows)


def _flat(config: dict[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in config.items():
        label = f"{prefix}{key.replace('_', ' ')}"
        if isinstance(value, dict):
            flat |= _flat(value, f"{label}: ")
        elif isinstance(value, list):
            flat[label] = ", ".join(str(item) for item in value)
        elif isinstance(value, bool) or value is None:
            flat[label] = _("none") if value is None else _("yes") if value else _("no")
        else:
            flat[label] = f"{value:.6g}" if isinstance(value, float) else str(value)
    return flat


def _case(group: Group) -> CaseView:
    learned = accuracy_table(group, "../../")
    return CaseView(
        title=f"{task_name(group.case.task).capitalize()}, {_('preset')} {group.case.preset}",
        note=compare.note(group),
        chart=chart(group, "../../"),
        loop=loop_table(group, "../../"),
        compiling=compiling_table(group, "../../"),
        utilization=_utilization(group, "../../"),
        learning=_learning(group) if learned.rows else None,
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


def _learning(group: Group) -> Plot | None:
    """The accuracy curve of each contender's last trial: the same seed for all who finished that round."""
    series = []
    target, lowest = 1.0, 1.0
    for result in group.timed:
        curves = [record.learning for record in result.timed if record.learning and record.learning.curve]
        if not curves:
            continue
        learning = curves[-1]
        target = learning.target_accuracy
        points = [(float(point.epoch), point.test_accuracy) for point in learning.curve]
        lowest = min(lowest, target, *(y for _x, y in points))
        series.append((result_name(result), points, result.contender.stack))
    if not series:
        return None
    last = int(max(points[-1][0] for _name, points, _stack in series))
    return plot(
        _("Test accuracy after each epoch, last trial of each contender"),
        series,
        y_low=lowest,
        y_high=1.0,
        x_labels=(_("epoch 1"), _("epoch {n}").format(n=last)),
        y_labels=(figures.percent(lowest, 3), "100 %"),
        rule=(target, _("dashed: target, {share}").format(share=figures.percent(target))),
    )


def _read(path: Path) -> str:
    return path.read_text() if path.is_file() else ""
