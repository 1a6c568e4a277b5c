"""Compare: by how much, for my case? One table of one view, what can be chosen, and the data behind each baseline."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from framebench.dataset import Result
from framebench.dataset.prices import read_prices
from framebench.language import _
from framebench.pages import figures, gate
from framebench.pages.chart import Row, caption, chart, compared_text
from framebench.pages.evidence import Evidence, Group
from framebench.pages.facets import MODE, Choice, choices, facets
from framebench.pages.metrics import Metric, metrics
from framebench.pages.views import Cell, Table
from framebench.pages.words import (
    common_unit,
    devices_if_several,
    precision_name,
    rate_unit,
    result_name,
    task_name,
)
from harness import workloads
from harness.flags import UNRANKED
from harness.record import Case


class Option(NamedTuple):
    """One choice of a control."""

    value: str
    text: str
    chosen: bool = False


class Chips(NamedTuple):
    """One row of choices of which any number may be made; none of them is all of them."""

    key: str
    label: str
    rare: bool
    options: list[Option]


class Line(NamedTuple):
    """A contender's row with what this page adds: the kernels, and how far it is from the best (0 to 100)."""

    row: Row
    kernels: str
    shade: str


class Listed(NamedTuple):
    """A case in the list of all: where it was measured, and the page that has its table."""

    anchor: str
    title: str
    caption: str
    href: str | None


EMPTY = Line(
    Row("", "", "", "", "", "", "", "-", "0", "0", "0", "", "", "", "", "", False, True, [], ""), "", "0"
)
"""What the script fills."""


def view(evidence: Evidence) -> dict[str, Any]:
    """Everything the template ``compare.md.j2`` needs."""
    groups = evidence.groups
    shown = first_shown(evidence)
    contenders = {result.label: result_name(result) for group in groups for result in group.timed}
    offers = offered(evidence)
    return {
        "group": shown,
        "title": shown.short_title if shown else "",
        "caption": caption(shown) if shown else "",
        "note": note(shown) if shown else "",
        "unit": rate_unit(common_unit(shown.timed)) if shown else "",
        "lines": _lines(shown) if shown else [],
        "blank": EMPTY,
        "blank_failed": EMPTY._replace(row=EMPTY.row._replace(failure="-")),
        "chips": _chips(groups, shown),
        "metrics": offers,
        "limits": [metric for metric in offers if metric.key in ("p99", "memory")],
        "baselines": [Option("", _("as declared"), True)]
        + [Option(label, name) for label, name in sorted(contenders.items(), key=lambda item: item[1])],
        "cases": _listed(groups),
        "all_cases": len(groups),
        "results": sum(len(members(group)) for group in groups),
        "script": {"metrics": [_of_script(metric) for metric in offers], "words": words()},
        "overall": _overall(evidence, shown),
    }


def first_shown(evidence: Evidence) -> Group | None:
    """What the page begins with: the case of home's first answer, else the first in reading order."""
    answered = [answer.case for answer in evidence.dataset.answers if answer.case is not None]
    asked = next((group for group in evidence.groups if answered and group.comparison is answered[0]), None)
    return asked or next(iter(evidence.groups), None)


def offered(evidence: Evidence) -> list[Metric]:
    """The metrics that the page offers."""
    shown = [result for group in evidence.groups for result in members(group)]
    return metrics(shown, read_prices(evidence.root / "site" / "prices.toml"))


def members(group: Group) -> list[Result]:
    """Who stands in a group's table: those with a time, fastest first, then the others."""
    return [*group.timed, *group.absent]


def kernels_text(result: Result) -> str:
    """Which paths really ran, where the framework tells: ``attention: flash``."""
    return "; ".join(
        f"{name.replace('_', ' ')}: {path}" for name, path in sorted(gate.kernels(result.records).items())
    )


def words() -> dict[str, str]:
    """Every sentence that the script writes; what stands in braces it fills in."""
    return {
        "none": figures.NONE,
        "baseline": _("baseline"),
        "best": _("{share} of best"),
        "shown": _("{shown} of {all} results, in {cases} of {groups} cases"),
        "left": _("{left} of {shown} are within the limits ({above} above, {unknown} without the figure)"),
        "nothing": _("No result has all of this: take back a choice or a limit."),
        "unmeasured": _("no such figure"),
        "more": _("Show {n} more"),
        "rest": _("and {n} more"),
        "disk": _(
            "This page was opened from a folder on disk, where a browser reads no data: the table below is complete "
            "for its case, and choosing needs a server (`make serve`)."
        ),
        "failed": _("The figures could not be loaded ({error})"),
        "unverdicted": _("The verdicts could not be loaded ({error}); ratios are of the figures alone"),
        "yours": _("yours"),
        "read": _("{n} trials of yours read, {figures} of them with figures; nothing was uploaded."),
        "unread": _("{file}: {n} could not be used ({why})"),
        "not_json": _("not the JSON record of a trial"),
        "not_archive": _("not an archive of records"),
        "two": _("Choose two results in the table to set them side by side; {n} chosen."),
        "ratio": _("first ÷ second"),
        "class": _("{place} of {n} hosts"),
        "case": _("Case"),
        "place": _("Where"),
        "contender": _("Contender"),
        "image": _("Image"),
        "kernels": _("Kernels"),
        "measured": _("Measured"),
        "outcome": _("Outcome"),
        "speed": _("Throughput ÷, with its 95 % interval"),
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
    """What a table is about: task, preset, several devices, and the precision where it is not fp32."""
    words = [task_name(case.task), f"{_('preset')} {case.preset}"]
    text = ", ".join([*words, *devices_if_several(case), *_precision_if_other(case)])
    return text[:1].upper() + text[1:]


def _precision_if_other(case: Case) -> list[str]:
    """Said in a heading where it is not the usual one."""
    return [] if case.precision == "fp32" else [precision_name(case)]


def _chips(groups: list[Group], shown: Group | None) -> list[Chips]:
    """One row for each facet that has more than one value; what the page begins with is chosen."""
    rows = []
    for facet in facets():
        found = choices(facet, groups)
        if len(found) > 1:
            begin = facet.of(shown).value if shown else None
            rows.append(
                Chips(facet.key, facet.label, facet.rare, [Option(*one, one.value == begin) for one in found])
            )
    modes = sorted({result.contender.mode for group in groups for result in members(group)})
    if len(modes) > 1:
        rows.append(Chips(MODE, _("Mode"), False, [Option(*Choice(mode, _(mode))) for mode in modes]))
    return rows


def _lines(group: Group) -> list[Line]:
    """The group's rows, best first, those without a figure last."""
    results: dict[str, Result] = {result.id: result for result in members(group)}
    best = {row.result.id: row.relative_to_best for row in group.rows}
    return [
        Line(row, kernels_text(results[row.id]), _shade(best.get(row.id))) for row in chart(group, "../").rows
    ]


def _shade(times_as_long: float | None) -> str:
    """0 for the best, 100 for what takes twice as long or longer."""
    return f"{min(100.0, ((times_as_long or 1.0) - 1) * 100):.0f}"


def _listed(groups: list[Group]) -> list[tuple[str, list[Listed]]]:
    """Every case by workload, with a link to its table on the workload's page where there is one."""
    pages = set(workloads.names()) - set(workloads.broken())
    by_workload: dict[str, list[Listed]] = {}
    for group in groups:
        name = group.case.workload
        href = f"../workloads/{name}/#{group.anchor}" if name in pages else None
        by_workload.setdefault(name, []).append(
            Listed(group.anchor, heading(group.case), caption(group), href)
        )
    return [*by_workload.items()]


def _of_script(metric: Metric) -> dict[str, str | bool]:
    return {
        "key": metric.key,
        "column": metric.column,
        "name": metric.name,
        "kind": metric.kind,
        "higher": metric.higher,
        "unit": metric.unit,
        "notes": metric.notes,
    }


def _overall(evidence: Evidence, shown: Group | None) -> Table:
    """Over the cases of the host, executor and suite that the page begins with."""
    place = (shown.host_id, shown.executor, shown.suite) if shown else None
    named = {r.label: r for r in evidence.dataset.results}
    rows = []
    for item in evidence.dataset.overall:
        mean = item.time_ratio
        if (item.host_id, item.executor, item.protocol) != place or mean.n + len(mean.missing) < 2:
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
            ]
        )
    head = [
        _("Contender"),
        _("Speed ÷ baseline"),
        _("95 % interval"),
        _("Cases"),
        _("Missing"),
    ]
    return Table(head, rows)
