"""The price of a call: single operations along their batches, where compiling pays, what share of the machine it is."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

from framebench.dataset import Result
from framebench.dataset.compiled_pairs import CompiledPair
from framebench.dataset.price_of_a_call import CallLadder, Reached, Rung, call_ladders, pays_from
from framebench.language import _
from framebench.pages import figures, workload
from framebench.pages.evidence import Evidence, Group
from framebench.pages.guides.ratio_cells import NUM, UP, ratio_cell
from framebench.pages.views import Cell, Plot, Table, plot
from framebench.pages.words import (
    all_of,
    cores_or_device,
    mode_name,
    precision_name,
    result_name,
    stack_name,
    stacks,
    with_version,
)

Surroundings = tuple[str, ...]


class CallView(NamedTuple):
    """One call along its batches: each stack's fastest, and compiled over eager."""

    title: str
    plot: Plot | None
    fastest: Table
    gain: Table


def view(evidence: Evidence) -> dict[str, Any]:
    """Everything the template ``guides/operations.md.j2`` needs."""
    data = evidence.dataset
    climbed = call_ladders(data.comparisons, data.baselines, data.ceilings)
    together: dict[Surroundings, list[CallLadder]] = {}
    for ladder in climbed:
        together.setdefault(_surroundings(ladder), []).append(ladder)
    return {
        "title": _("The price of a call"),
        "lead": _(
            "What one operation costs where there is next to nothing to compute, from which size on compiling it pays, "
            "and how near a large one comes to what the machine can do."
        ),
        "workloads": [name for name in workload.names() if workload.is_called(name)],
        "prices": [_prices(some) for some in together.values()],
        "paying": [table for some in together.values() if (table := _paying(some)).rows],
        "shares": [_shares(some) for some in together.values()],
        "calls": [_call(ladder) for ladder in climbed],
    }


def _surroundings(ladder: CallLadder) -> Surroundings:
    """Which calls stand side by side, in words: those of one workload, measured alike in one place."""
    case, group = ladder.case.case, Group(ladder.case)
    return case.workload, precision_name(case), cores_or_device(case), group.place


def _caption(some: list[CallLadder]) -> str:
    return " · ".join(_surroundings(some[0]))


def _prices(some: list[CallLadder]) -> Table:
    """A row for each contender, a column for each call: its time at the smallest batch."""
    smallest = [ladder.rungs[0] for ladder in some]
    rows = [
        [_contender(one), *(_price(rung, one.label) for rung in smallest)]
        for one in _in_order(result for rung in smallest for result in rung.timed)
    ]
    return Table([_("Contender"), *map(_at, smallest)], rows, _caption(some))


def _price(rung: Rung, label: str) -> Cell:
    result = next((one for one in rung.timed if one.label == label), None)
    return Cell(figures.NONE, NUM) if result is None else Cell(_time(result), NUM, _href(result))


def _paying(some: list[CallLadder]) -> Table:
    """A row for each compiled contender, a column for each call: from which batch it is faster than its eager form."""
    rows = [
        [_contender(one), *(_pays_from(ladder.compiled.get(one.label)) for ladder in some)]
        for one in _in_order(result for ladder in some for result in _compiled(ladder))
    ]
    return Table([_("Compiled"), *(ladder.case.case.preset for ladder in some)], rows, _caption(some))


def _pays_from(pairs: dict[int, CompiledPair] | None) -> Cell:
    if pairs is None:
        return Cell(figures.NONE, NUM)
    batch = pays_from(pairs)
    return Cell(_("not shown") if batch is None else str(batch), NUM)


def _shares(some: list[CallLadder]) -> Table:
    """A row for each call, a column for each stack: what its fastest contender reaches at the largest batch."""
    largest = [ladder.rungs[-1] for ladder in some]
    names = _listed(one.result.contender.stack for rung in largest for one in rung.fastest)
    rows = []
    for ladder, rung in zip(some, largest, strict=True):
        shares = {one.result.contender.stack: _share(one) for one in rung.fastest}
        cells = [Cell(shares.get(name, figures.NONE), NUM) for name in names]
        rows.append([Cell(_at(rung)), Cell(_ceiling(ladder)), *cells])
    return Table([_("Call"), _("Of the measured"), *map(stack_name, names)], rows, _caption(some))


def _call(ladder: CallLadder) -> CallView:
    case, group = ladder.case.case, Group(ladder.case)
    name = case.preset if case.precision == "fp32" else f"{case.preset}, {precision_name(case)}"
    return CallView(f"{name} – {group.place}", _plot(ladder), _fastest(ladder), _gain(ladder))


def _fastest(ladder: CallLadder) -> Table:
    """A row for each stack; for each batch the time of its fastest contender, which one that is, and its share."""
    rows = []
    for name in _listed(one.result.contender.stack for rung in ladder.rungs for one in rung.fastest):
        cells = []
        for rung in ladder.rungs:
            one = next((one for one in rung.fastest if one.result.contender.stack == name), None)
            if one is None:
                cells += [Cell(figures.NONE, "fb-reason"), Cell(figures.NONE, NUM)]
            else:
                form = with_version(mode_name(one.result.contender), one.result)
                cells.append(Cell(f"{_time(one.result)}, {form}", "fb-reason", _href(one.result)))
                cells.append(Cell(_share(one), NUM))
        rows.append([Cell(stack_name(name), stack=name), *cells])
    head = [word for rung in ladder.rungs for word in (_batch(rung.batch), _("share"))]
    caption = _("Each stack at its fastest; share of the measured {ceiling}").format(ceiling=_ceiling(ladder))
    return Table([_("Stack"), *head], rows, caption)


def _gain(ladder: CallLadder) -> Table:
    """A row for each compiled contender: its speed over its eager form's at each batch, and from where it pays."""
    batches = [rung.batch for rung in ladder.rungs]
    rows = []
    for one in _in_order(_compiled(ladder)):
        pairs = ladder.compiled[one.label]
        ratios = [ratio_cell(pairs[batch].compared if batch in pairs else None) for batch in batches]
        rows.append([_contender(one), *ratios, _pays_from(pairs)])
    head = [_("Compiled"), *map(_batch, batches), _("pays from batch")]
    return Table(head, rows, _("Speed of the compiled form over the eager one"))


def _plot(ladder: CallLadder) -> Plot | None:
    """Each stack's fastest along the batches, both on logarithmic scales; null where no stack has two batches."""
    points: dict[str, list[tuple[float, float]]] = {}
    for rung in ladder.rungs:
        for result in (one.result for one in rung.fastest):
            if result.time_ns is not None:
                at = math.log(rung.batch), math.log(result.time_ns.value)
                points.setdefault(result.contender.stack, []).append(at)
    lines = {stack: some for stack, some in points.items() if len(some) > 1}
    if not lines:
        return None
    heights = [y for some in lines.values() for _x, y in some]
    batches = all_of([str(rung.batch) for rung in ladder.rungs])
    return plot(
        _("Time of one call of {call}, by the batch").format(call=ladder.case.case.preset),
        [(stack_name(stack), lines[stack], stack) for stack in _listed(lines)],
        y_low=min(heights),
        y_high=max(heights),
        x_labels=(_batch(ladder.rungs[0].batch), _batch(ladder.rungs[-1].batch)),
        y_labels=(figures.duration(math.exp(min(heights))), figures.duration(math.exp(max(heights)))),
        y_name=_("Time of one call at batches of {batches}; both scales are logarithmic").format(
            batches=batches
        ),
    )


def _compiled(ladder: CallLadder) -> list[Result]:
    """Each compiled contender once, at one of its batches."""
    return [next(iter(pairs.values())).compiled for pairs in ladder.compiled.values()]


def _in_order(results: Iterable[Result]) -> list[Result]:
    """One result of each contender: by stack as everywhere, eager before compiled, then by name."""
    every = {result.label: result for result in results}
    order = _listed(result.contender.stack for result in every.values())
    return sorted(
        every.values(),
        key=lambda one: (order.index(one.contender.stack), one.contender.mode == "compiled", one.label),
    )


def _listed(names: Iterable[str]) -> list[str]:
    """Stacks once each, in the order in which all pages list them; one that is gone comes last."""
    known = [one.name for one in stacks()]
    return sorted({*names}, key=lambda name: (known.index(name) if name in known else len(known), name))


def _contender(result: Result) -> Cell:
    return Cell(result_name(result), "fb-reason", stack=result.contender.stack)


def _href(result: Result) -> str:
    return f"{UP}results/{result.id}/"


def _time(result: Result) -> str:
    """``12.3 µs (12.1 – 12.5)*``: the star is explained in the template."""
    if result.time_ns is None:
        return figures.NONE
    return figures.duration_with_interval(*result.time_ns[:3]) + _star(result)


def _share(one: Reached) -> str:
    return figures.NONE if one.share is None else figures.percent(one.share) + _star(one.result)


def _star(result: Result) -> str:
    return "" if result.ranked else "*"


def _batch(batch: int) -> str:
    return _("batch {n}").format(n=batch)


def _at(rung: Rung) -> str:
    """``matmul, batch 1``."""
    return f"{rung.case.case.preset}, {_batch(rung.batch)}"


def _ceiling(ladder: CallLadder) -> str:
    """Of what the share is."""
    return _("product") if ladder.multiplies else _("copy")
