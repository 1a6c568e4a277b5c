"""Compare: by how much, for my case? One table per case and place, and the data behind each baseline."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from framebench.language import _
from framebench.pages import figures
from framebench.pages.chart import Chart, chart, compared_text
from framebench.pages.evidence import Evidence, Group
from framebench.pages.views import Cell, Table
from framebench.pages.words import TASKS, precision_name, result_name, task_name
from harness.flags import UNRANKED
from harness.record import Case


class Option(NamedTuple):
    """One choice of a control."""

    value: str
    text: str
    chosen: bool = False


class Section(NamedTuple):
    """One table with what the controls need to know of it."""

    group: Group
    heading: str
    chart: Chart
    note: str


def view(evidence: Evidence) -> dict[str, Any]:
    """Everything the template ``compare.md.j2`` needs."""
    groups = evidence.groups
    contenders = {r.label: result_name(r) for group in groups for r in group.timed}
    usual = _usual_baseline(groups)
    return {
        "sections": [
            Section(group, heading(group.case), chart(group, "../"), note(group)) for group in groups
        ],
        "workloads": list(dict.fromkeys(group.case.workload for group in groups)),
        "controls": {
            "workload": _options(sorted({(g.case.workload, g.case.workload) for g in groups})),
            "task": _options(
                sorted({(g.case.task, task_name(g.case.task)) for g in groups}, key=_task_order)
            ),
            "preset": _options(sorted({(g.case.preset, g.case.preset) for g in groups})),
            "precision": _options(sorted({(g.case.precision, g.case.precision) for g in groups})),
            "place": _options(sorted({(g.place, g.place) for g in groups})),
        },
        "baselines": [
            Option(label, name, label == usual)
            for label, name in sorted(contenders.items(), key=lambda item: item[1])
        ],
        "overall": _overall(evidence),
    }


def baselines_json(evidence: Evidence) -> str:
    """``{group: {baseline: {result: [ratio, interval, verdict, word]}}}`` as text ready to be shown.

    Verdicts belong to the declared baseline's family only; other baselines get ratio and interval.
    """
    table = {}
    for group in evidence.groups:
        by_baseline = {}
        for label, compared_with in group.against.items():
            declared = label == group.baseline
            by_baseline[label] = {
                result_id: _shown(*compared_text(compared), declared)
                for result_id, compared in compared_with.items()
            }
        table[group.anchor] = by_baseline
    return json.dumps(table, ensure_ascii=False, separators=(",", ":"), sort_keys=True) + "\n"


def note(group: Group) -> str:
    """What a reader must know about a whole table; empty when there is nothing special."""
    comparison = group.comparison
    parts = []
    if comparison.edition:
        parts.append(
            _(
                "Measured by {date}, before the protocol or the workload changed: not compared with what was "
                "measured since."
            ).format(date=comparison.measured_utc[:10])
        )
    if not comparison.container:
        parts.append(_("Measured outside a container."))
    if group.timed and not group.ranked:
        reasons = {result.unranked_because or "" for result in group.timed}
        if reasons <= {UNRANKED}:
            parts.append(_("No quiet host has measured this yet: figures are shown, not ranked."))
        else:
            parts.append(_("Nothing here is ranked; the marks say why."))
    if group.timed and all(len(result.timed) < 3 for result in group.timed):
        parts.append(_("Fewer than three rounds: no verdicts."))
    if comparison.baseline is not None and not comparison.declared:
        parts.append(
            _("The declared baseline was not timed here; {name} stands in.").format(
                name=result_name(comparison.baseline)
            )
        )
    return " ".join(parts)


def _shown(ratio: str, interval: str, verdict: str, word: str, declared: bool) -> list[str]:
    return [ratio, interval, verdict, word] if declared else [ratio, interval, "", _("not declared")]


def heading(case: Case) -> str:
    """What a table is about: task, preset, and the precision where it is not fp32."""
    words = [task_name(case.task), f"{_('preset')} {case.preset}"]
    text = ", ".join([*words, *_precision_if_other(case)])
    return text[:1].upper() + text[1:]


def _precision_if_other(case: Case) -> list[str]:
    """Said in a heading where it is not the usual one."""
    return [] if case.precision == "fp32" else [precision_name(case)]


def _task_order(option: tuple[str, str]) -> tuple[int, str]:
    """The order in which the words stand: training first."""
    order = list(TASKS)
    return (order.index(option[0]) if option[0] in order else len(order), option[0])


def _options(values: list[tuple[str, str]]) -> list[Option]:
    return [Option(value, text) for value, text in values]


def _usual_baseline(groups: list[Group]) -> str:
    """The baseline that most tables have."""
    names = [group.baseline for group in groups if group.baseline]
    return max(sorted(set(names)), key=names.count, default="")


def _overall(evidence: Evidence) -> Table:
    named = {r.label: r for r in evidence.dataset.results}
    rows = []
    for item in evidence.dataset.overall:
        mean = item.time_ratio
        if mean.n + len(mean.missing) < 2:
            continue
        one = named[item.label]
        speed, interval = "", ""
        if mean.value is not None:
            # Times were averaged; speed is their reciprocal, so the ends change places.
            speed = figures.ratio(1 / mean.value)
            ends = (1 / mean.high, 1 / mean.low) if mean.low and mean.high else (None, None)
            interval = figures.with_interval(1 / mean.value, *ends)[1]
        rows.append(
            [
                Cell(result_name(one), stack=one.contender.stack),
                Cell(speed or figures.NONE, "fb-num"),
                Cell(interval or figures.NONE, "fb-num"),
                Cell(str(mean.n), "fb-num"),
                Cell(", ".join(mean.missing) or figures.NONE, "fb-reason"),
                Cell(f"{item.host_id}, {item.executor}, {item.protocol}"),
            ]
        )
    head = [
        _("Contender"),
        _("Speed ÷ baseline"),
        _("95 % interval"),
        _("Cases"),
        _("Missing"),
        _("Host, executor, suite"),
    ]
    return Table(head, rows)
