"""The guides: pages that explain, each with the figure that it rests on drawn from the dataset.

A guide is a module here with ``view(evidence)``, what its template in ``site/templates/guides/`` needs: at least
``title`` and ``lead``; files of the repository that it prints are its ``sources``, which the site keeps whole. It
stands in ``GUIDES`` once, in the order in which a reader meets them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from framebench.language import _
from framebench.pages.evidence import Evidence
from framebench.pages.guides.autodiff import view as view_autodiff
from framebench.pages.guides.claims import view as view_claims
from framebench.pages.guides.compilers import view as view_compilers
from framebench.pages.guides.faq import view as view_faq
from framebench.pages.guides.first_steps import view as view_first_steps
from framebench.pages.guides.graphs import view as view_graphs
from framebench.pages.guides.keras_backends import view as view_keras_backends
from framebench.pages.guides.keras_overhead import view as view_keras_overhead
from framebench.pages.guides.operations import view as view_operations
from framebench.pages.guides.why_accuracies_differ import view as view_why_accuracies_differ
from framebench.pages.views import Cell, Table

GUIDES: dict[str, Callable[[Evidence], dict[str, Any]]] = {
    "first-steps": view_first_steps,
    "autodiff": view_autodiff,
    "graphs": view_graphs,
    "compilers": view_compilers,
    "keras-overhead": view_keras_overhead,
    "keras-backends": view_keras_backends,
    "operations": view_operations,
    "why-accuracies-differ": view_why_accuracies_differ,
    "claims": view_claims,
    "faq": view_faq,
}
"""Page name → the view of its template."""


def index(guides: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The list of guides, from the view of each by its name."""
    rows = [
        [Cell(guide["title"], href=f"{name}/"), Cell(guide["lead"], "fb-reason")]
        for name, guide in guides.items()
    ]
    return {
        "title": _("Guides"),
        "lead": _(
            "What to know before choosing, and what people ask. Every figure is drawn from the committed results "
            "and changes with them; what others say has a link and a date."
        ),
        "table": Table([_("Guide"), _("What it is about")], rows),
        "empty": _("There is no guide."),
    }
