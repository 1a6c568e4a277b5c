"""Serving & export: every model by every exporter, run, compared with float64 and timed beside the framework."""

from __future__ import annotations

from typing import Any, NamedTuple

from framebench.dataset import Result
from framebench.dataset.result import NOT_TIMED
from framebench.language import _
from framebench.pages import figures
from framebench.pages.chart import failure_text
from framebench.pages.compiling import ratio_and_interval
from framebench.pages.evidence import Evidence, Group
from framebench.pages.views import Cell, Table
from framebench.pages.words import family, info, mode_name, result_name, stack_name, stacks, status_name
from harness.frameworks.exported import ExportInfo, is_exported
from harness.record import Contender

NUM = "fb-num"


class CaseView(NamedTuple):
    """One case: what each exporter made of it."""

    title: str
    anchor: str
    table: Table
    failures: list[tuple[str, str]]  # exporter, what it or the runtime said


def view(evidence: Evidence) -> dict[str, Any]:
    """Everything the template ``serving.md.j2`` needs."""
    groups = [group for group in evidence.groups if _exported(group)]
    return {"matrix": _matrix(groups), "cases": [_case(group) for group in groups]}


def _exported(group: Group) -> list[Result]:
    return [one for one in [*group.timed, *group.absent] if is_exported(info(one.contender.stack))]


def _matrix(groups: list[Group]) -> Table:
    """Exporters by cases: how many times the framework's own speed, or that it failed."""
    shown = {result.contender.slug: result.contender for group in groups for result in _exported(group)}
    order = [one.name for one in stacks()]
    made = [{result.contender.slug: result for result in _exported(group)} for group in groups]
    rows = []
    for contender in sorted(shown.values(), key=lambda one: (order.index(one.stack), one.slug)):
        outcomes = [
            _outcome(found.get(contender.slug), group) for found, group in zip(made, groups, strict=True)
        ]
        rows.append([Cell(_form(contender), stack=contender.stack), *outcomes])
    return Table([_("Exported"), *(group.short_title for group in groups)], rows)


def _form(contender: Contender) -> str:
    """``PyTorch, ONNX Runtime``: where a model is from, and what it has become."""
    known = info(contender.stack)
    assert isinstance(known, ExportInfo)
    form = mode_name(contender) if contender.variant else family(known)
    return f"{stack_name(known.source)}, {form}"


def _outcome(result: Result | None, group: Group) -> Cell:
    if result is None:
        return Cell(figures.NONE, NUM)
    href = f"../results/{result.id}/"
    if result.status == NOT_TIMED:
        return Cell(status_name(result.status), NUM, href)
    if result.time_ns is None:
        return Cell(_("fails"), f"{NUM} fb-no", href)
    ratio, _interval = ratio_and_interval(_over_native(result, group))
    return Cell(ratio if ratio != figures.NONE else _("runs"), f"{NUM} fb-yes", href)


def _over_native(result: Result, group: Group) -> Any:
    """Against the source stack at its best, the fastest of its contenders; null where none was timed beside it."""
    known = info(result.contender.stack)
    assert isinstance(known, ExportInfo)
    native = next((one for one in group.timed if one.contender.stack == known.source), None)
    return group.against.get(native.label, {}).get(result.id) if native else None


def _case(group: Group) -> CaseView:
    rows, failures = [], []
    for result in _exported(group):
        name, href = result_name(result), f"../results/{result.id}/"
        if result.status == NOT_TIMED:
            continue
        if result.time_ns is None:
            failures.append((name, failure_text(result)))
            continue
        facts = result.latest.settings.compile if result.latest.settings else {}
        ratio, interval = ratio_and_interval(_over_native(result, group))
        first = result.first_steps
        rows.append(
            [
                Cell(name, href=href, stack=result.contender.stack),
                Cell(_nearest(result), NUM),
                Cell(figures.duration(result.time_ns.value), NUM),
                Cell(ratio, NUM),
                Cell(interval, NUM),
                Cell(figures.size(_count(facts.get("file_bytes"))), NUM),
                Cell(_milliseconds(facts.get("export_ms")), NUM),
                Cell(_milliseconds(facts.get("load_ms")), NUM),
                Cell(figures.duration(first.warm_ns if first else None), NUM),
            ]
        )
    head = [
        _("Exported"),
        _("Difference, of what is allowed"),
        _("Step"),
        _("Speed ÷ native"),
        _("95 % interval"),
        _("File"),
        _("Export"),
        _("Load"),
        _("First step"),
    ]
    title = f"{group.short_title} – {group.place}"
    return CaseView(title, group.anchor, Table(head, rows), failures)


def _nearest(result: Result) -> str:
    """The gate's comparison that came nearest to its tolerance, as a share of it."""
    parts = result.parity.parts if result.parity else []
    worst = [part.worst for part in parts if part.name in ("precision", "shape") and part.worst]
    shares = [one.value / one.tolerance for one in worst if one.value is not None and one.tolerance]
    return figures.percent(max(shares)) if shares else figures.NONE


def _count(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _milliseconds(value: object) -> str:
    count = _count(value)
    return figures.duration(None if count is None else count * 1e6)
