"""Automatic differentiation: what each framework records, and what a training step costs over the forward pass."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, NamedTuple

from framebench.dataset.training_cost import TrainingCost, training_costs
from framebench.language import _
from framebench.pages import figures
from framebench.pages.chart import result_marks
from framebench.pages.evidence import Evidence, Group
from framebench.pages.guides.bars import Bar, Drawn, bars
from framebench.pages.guides.programs import frameworks_with, programs, said
from framebench.pages.words import families, precision_name, result_name
from framebench.records.identity import group_key


class CostView(NamedTuple):
    """The figure of one workload at one size and place, cheapest first; ``work`` is the ratio of FLOPs."""

    title: str
    where: str
    work: str
    rows: list[Bar]


def view(evidence: Evidence) -> dict[str, Any]:
    """Everything the template ``guides/autodiff.md.j2`` needs."""
    names, root = families(), evidence.root
    code = frameworks_with(root, "gradient.py")
    return {
        "title": _("Automatic differentiation"),
        "lead": _(
            "What each framework writes down while a model runs, so that it can go back and find the gradient, and "
            "what a training step costs over the forward pass alone."
        ),
        "sources": programs(root, "gradient.py"),
        "printed": {names[one]: (said(root, one).gradient or "").strip() for one in code},
        "costs": _costs(evidence),
    }


def _costs(evidence: Evidence) -> list[CostView]:
    by_group: dict[tuple[str, ...], list[TrainingCost]] = defaultdict(list)
    for cost in training_costs(evidence.dataset.results):
        by_group[group_key(cost.train)].append(cost)
    return [_view(group, by_group[group.key]) for group in evidence.groups if group.key in by_group]


def _view(group: Group, costs: list[TrainingCost]) -> CostView:
    case = group.case
    drawn = [
        Drawn(
            name=result_name(cost.train),
            href=f"../../results/{cost.train.id}/",
            stack=cost.train.contender.stack,
            mode=cost.train.contender.mode,
            ranked=cost.ranked,
            marks=list(dict.fromkeys([*result_marks(cost.train), *result_marks(cost.infer)])),
            ratio=cost.ratio,
        )
        for cost in sorted(costs, key=lambda cost: cost.ratio.value)
    ]
    size = _("preset {preset}, batch {n}, {precision}").format(
        preset=case.preset, n=case.batch, precision=precision_name(case)
    )
    return CostView(
        title=f"{case.workload}: {size}",
        where=group.place,
        work=figures.ratio(costs[0].work),
        rows=bars(drawn),
    )
