"""Keras overhead: each framework by itself over Keras on it, small models to large, and where the time goes."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from framebench.dataset.keras_overhead import KERAS, CaseOverhead, Overhead, backend_of, keras_overheads
from framebench.dataset.start_up import phase_median
from framebench.language import _
from framebench.pages import figures
from framebench.pages.compiling import loop_table
from framebench.pages.evidence import Evidence, Group
from framebench.pages.guides.ratio_cells import (
    NUM,
    UP,
    case_cell,
    duration_cell,
    place_cell,
    ratio_cell,
    result_cell,
)
from framebench.pages.views import Cell, Plot, Table, plot
from framebench.pages.words import stack_name, stacks


class CaseView(NamedTuple):
    """One case: like beside like, Keras' loop beside its bare step, and what comes before the first steady step."""

    title: str
    like: Table
    loop: Table
    start: Table


def view(evidence: Evidence) -> dict[str, Any]:
    """Everything the template ``guides/keras-overhead.md.j2`` needs."""
    overheads = keras_overheads(evidence.dataset.comparisons, evidence.dataset.baselines)
    groups = {id(group.comparison): group for group in evidence.groups}
    return {
        "title": _("What Keras costs"),
        "lead": _(
            "Keras runs on PyTorch, TensorFlow or JAX. How much slower is a model written in Keras than the same model "
            "written for the framework that runs it, and where does the time go?"
        ),
        "plot": _plot(overheads),
        "best": _best(overheads),
        "cases": [_case(one, groups[id(one.case)]) for one in overheads],
    }


def _plot(overheads: list[CaseOverhead]) -> Plot | None:
    """Each backend at its best: the ratio by the work of a step, both on logarithmic scales; intervals are in the
    table."""
    pairs = [
        (case.flops_per_step, pair)
        for case in overheads
        for pair in case.best
        if case.flops_per_step and pair.compared and pair.compared.low is not None
    ]
    if not pairs:
        return None
    points: dict[str, list[tuple[float, float]]] = {}
    for flops, pair in pairs:
        assert pair.compared is not None
        at = math.log(flops), math.log(pair.compared.ratio)
        points.setdefault(pair.keras.contender.stack, []).append(at)
    heights = [0.0, *(y for some in points.values() for _x, y in some)]
    least, most = min(pairs, key=lambda pair: pair[0])[0], max(pairs, key=lambda pair: pair[0])[0]
    return plot(
        _("Speed of the framework by itself over Keras on it, by the work of a step"),
        [(stack_name(stack), some, stack) for stack, some in sorted(points.items())],
        y_low=min(heights),
        y_high=max(heights),
        x_labels=(
            _("{work} per step").format(work=figures.flops(least)),
            _("{work} per step").format(work=figures.flops(most)),
        ),
        y_labels=(figures.ratio(math.exp(min(heights))), figures.ratio(math.exp(max(heights)))),
        dots=True,
        rule=(0.0, _("dashed: equally fast; above it Keras is slower")),
        y_name=_("Framework ÷ Keras; both scales are logarithmic"),
    )


def _best(overheads: list[CaseOverhead]) -> Table:
    """A row for each case, from the least work per step to the most; a column for each backend."""
    keras = [one.name for one in stacks() if one.framework == KERAS]
    native = {name: backend_of(name) for name in keras}
    rows = []
    for one in overheads:
        by_stack = {pair.keras.contender.stack: ratio_cell(pair.compared) for pair in one.best}
        rows.append(
            [
                case_cell(one.case),
                Cell(figures.flops(one.flops_per_step or None), NUM),
                *(by_stack.get(name, ratio_cell(None)) for name in keras),
                place_cell(one.case),
            ]
        )
    ratios = [_("{framework} ÷ Keras").format(framework=stack_name(native[name] or name)) for name in keras]
    return Table([_("Case"), _("Work per step"), *ratios, _("Measured")], rows)


def _case(one: CaseOverhead, group: Group) -> CaseView:
    return CaseView(
        title=f"{group.short_title} – {group.place}",
        like=Table(
            [_("Keras"), _("By itself"), _("Step, Keras"), _("Step, by itself"), _("By itself ÷ Keras")],
            [_like_row(pair) for pair in one.like],
        ),
        loop=loop_table(group, UP),
        start=_start(one),
    )


def _like_row(pair: Overhead) -> list[Cell]:
    return [
        result_cell(pair.keras),
        result_cell(pair.native),
        duration_cell(pair.keras.time_ns.value if pair.keras.time_ns else None),
        duration_cell(pair.native.time_ns.value if pair.native.time_ns else None),
        ratio_cell(pair.compared),
    ]


def _start(one: CaseOverhead) -> Table:
    """What both of each pair at its best spend before they are at speed."""
    rows = []
    for result in (result for pair in one.best for result in (pair.keras, pair.native)):
        first = result.first_steps
        rows.append(
            [
                result_cell(result),
                duration_cell(phase_median(result, "import")),
                duration_cell(phase_median(result, "build")),
                duration_cell(first.cold_ns if first else None),
                duration_cell(first.warm_ns if first else None),
                duration_cell(phase_median(result, "second_step")),
                duration_cell(result.time_ns.value if result.time_ns else None),
            ]
        )
    head = [
        _("Contender"),
        _("Import"),
        _("Build the model"),
        _("First step, cold"),
        _("First step, warm"),
        _("Second step"),
        _("Step at speed"),
    ]
    return Table(head, rows)
