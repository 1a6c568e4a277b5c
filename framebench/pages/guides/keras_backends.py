"""Keras and its backends: which is fastest for which work, what differs, and what does not run."""

from __future__ import annotations

from typing import Any

from framebench.dataset.backends import BackendsOfCase, backends
from framebench.dataset.keras_overhead import KERAS
from framebench.language import _
from framebench.pages.chart import failure_text
from framebench.pages.evidence import Evidence
from framebench.pages.guides.ratio_cells import UP, case_cell, place_cell, ratio_cell, result_cell
from framebench.pages.stack import declared_modes
from framebench.pages.views import Cell, Table
from framebench.pages.words import stack_name, stacks


def view(evidence: Evidence) -> dict[str, Any]:
    """Everything the template ``guides/keras-backends.md.j2`` needs."""
    cases = backends(evidence.dataset.comparisons, evidence.dataset.baselines)
    names = [one.name for one in stacks() if one.framework == KERAS]
    return {
        "title": _("Keras and its backends"),
        "lead": _(
            "The same Keras model runs on PyTorch, TensorFlow and JAX. Which backend is fastest for which work, by how "
            "much, and what does not run?"
        ),
        "fastest": _fastest([one for one in cases if one.best], names),
        "failed": _failed(cases),
        "backends": [(stack_name(name), f"{UP}stacks/{name}/", declared_modes(name)) for name in names],
    }


def _fastest(cases: list[BackendsOfCase], names: list[str]) -> Table:
    """A row for each case: the fastest backend, and its speed over each other's."""
    rows = []
    for one in cases:
        first = one.best[0]
        by_stack = {
            other.contender.stack: ratio_cell(one.over_others.get(other.id)) for other in one.best[1:]
        }
        by_stack[first.contender.stack] = Cell(_("best") if len(one.best) > 1 else _("alone"))
        rows.append(
            [
                case_cell(one.case),
                *(by_stack.get(name, ratio_cell(None)) for name in names),
                result_cell(first),
                place_cell(one.case),
            ]
        )
    return Table([_("Case"), *map(stack_name, names), _("Best figure"), _("Measured")], rows)


def _failed(cases: list[BackendsOfCase]) -> Table:
    """Each Keras contender that ended with a reason instead of a time."""
    rows = [
        [
            result_cell(result),
            case_cell(one.case),
            Cell(failure_text(result), "fb-reason"),
            place_cell(one.case),
        ]
        for one in cases
        for result in one.failed
    ]
    return Table([_("Contender"), _("Case"), _("What happened"), _("Measured")], rows)
