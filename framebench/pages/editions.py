"""The pages of editions: what was measured alike, when and where, each at an address that stays."""

from __future__ import annotations

from typing import Any

from framebench.dataset.editions import Edition
from framebench.language import _
from framebench.pages.evidence import Evidence
from framebench.pages.listings import results_table
from framebench.pages.views import Cell, Fact, Table


def index(evidence: Evidence) -> dict[str, Any]:
    """The list of editions, for the template ``index.md.j2``."""
    rows = [
        [
            Cell(one.id, href=f"{one.id}/", code=True),
            Cell(one.workload),
            Cell(one.suite),
            Cell(_days(one), "fb-num"),
            Cell(_state(one)),
            Cell(", ".join(one.hosts), code=True),
            Cell(str(len(one.results)), "fb-num"),
        ]
        for one in evidence.dataset.editions
    ]
    head = [
        _("Edition"),
        _("Workload"),
        _("Suite"),
        _("Measured"),
        _("State"),
        _("Hosts"),
        _("Results"),
    ]
    return {
        "title": _("Editions"),
        "lead": _(
            "What was measured by one protocol and with one form of a workload is an edition: only its results are "
            "compared with each other. Its address follows from protocol and form, and stays; so do its results. It is "
            "closed for what was measured by another protocol or in another form since."
        ),
        "table": Table(head, rows),
        "empty": _("Nothing has been measured yet: `make bench-all` fills this page."),
    }


def view(edition: Edition) -> dict[str, Any]:
    """Everything the template ``edition.md.j2`` needs."""
    return {
        "title": _("Edition {id}").format(id=edition.id),
        "facts": [
            Fact(_("Workload"), edition.workload, href=f"../../workloads/{edition.workload}/"),
            Fact(_("Suite"), edition.suite),
            Fact(_("Measured"), _days(edition)),
            Fact(_("State"), _state(edition)),
            *(Fact(_("Host"), host, code=True, href=f"../../hosts/{host}/") for host in edition.hosts),
        ],
        "results": results_table(edition.results, "../../", replaced=True),
    }


def _days(edition: Edition) -> str:
    first, last = edition.first_utc[:10], edition.last_utc[:10]
    return first if first == last else f"{first} – {last}"


def _state(edition: Edition) -> str:
    newest, every = len(edition.newest), len(edition.results)
    if newest == every:
        return _("the newest")
    return _("the newest for {n} of {all} results").format(n=newest, all=every) if newest else _("closed")
