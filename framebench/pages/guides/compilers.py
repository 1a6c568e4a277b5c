"""Compilers: what compiling buys and costs in each stack, and after how many steps it has paid."""

from __future__ import annotations

from typing import Any, NamedTuple

from framebench.dataset.compiled_pairs import CompiledPair, FirstStep
from framebench.language import _
from framebench.pages import figures
from framebench.pages.compiling import repaid
from framebench.pages.evidence import Evidence, Group
from framebench.pages.guides.ratio_cells import (
    NUM,
    case_cell,
    duration_cell,
    place_cell,
    ratio_cell,
    result_cell,
)
from framebench.pages.views import Cell, Table
from framebench.pages.words import stack_name, stacks


class CaseView(NamedTuple):
    """One case: each compiled contender beside its eager form, and when compiling has paid."""

    title: str
    gain: Table
    cost: Table


def view(evidence: Evidence) -> dict[str, Any]:
    """Everything the template ``guides/compilers.md.j2`` needs."""
    pairs = [(group, group.compiled_pairs) for group in evidence.groups]
    return {
        "title": _("What compiling buys and costs"),
        "lead": _(
            "Every framework can run a model operation by operation, or compile it first. How much faster is it then, "
            "what does the first step cost, and after how many steps has that been paid back?"
        ),
        "overview": overview(pairs),
        "cases": [_case(group, some) for group, some in pairs if some],
    }


def overview(pairs: list[tuple[Group, list[CompiledPair]]]) -> Table:
    """A row for each case, a column for each stack: its fastest compiled form over the same, eager."""
    compiling = {pair.compiled.contender.stack for _group, some in pairs for pair in some}
    names = [one.name for one in stacks() if one.name in compiling]
    rows = []
    for group, some in pairs:
        best: dict[str, CompiledPair] = {}
        for pair in some:
            best.setdefault(pair.compiled.contender.stack, pair)  # they come fastest first
        if best:
            cells = [ratio_cell(best[name].compared if name in best else None) for name in names]
            rows.append([case_cell(group.comparison), *cells, place_cell(group.comparison)])
    return Table([_("Case"), *map(stack_name, names), _("Measured")], rows)


def gain_table(pairs: list[CompiledPair]) -> Table:
    """Each compiled contender's step beside its eager form's."""
    rows = [
        [
            result_cell(pair.compiled),
            duration_cell(pair.compiled.time_ns.value if pair.compiled.time_ns else None),
            duration_cell(pair.eager.time_ns.value if pair.eager.time_ns else None),
            ratio_cell(pair.compared),
        ]
        for pair in pairs
    ]
    return Table([_("Compiled"), _("Step"), _("Step, eager"), _("Compiled ÷ eager")], rows)


def _case(group: Group, pairs: list[CompiledPair]) -> CaseView:
    rows = [
        [
            result_cell(pair.compiled),
            *_first_step(pair, pair.cold),
            *_first_step(pair, pair.warm),
        ]
        for pair in pairs
    ]
    head = [
        _("Compiled"),
        _("First step, cold"),
        _("eager"),
        _("has paid after"),
        _("First step, warm"),
        _("eager"),
        _("has paid after"),
    ]
    return CaseView(f"{group.short_title} – {group.place}", gain_table(pairs), Table(head, rows))


def _first_step(pair: CompiledPair, first: FirstStep | None) -> list[Cell]:
    """From one state of the cache: the first step of both, and the later steps and the time until it has paid."""
    after = repaid(pair, first)
    if first is not None and first.repaid_ns is not None:
        after = f"{after}, {figures.duration(first.repaid_ns)}"
    return [
        duration_cell(first.compiled_ns if first else None),
        duration_cell(first.eager_ns if first else None),
        Cell(after, NUM),
    ]
