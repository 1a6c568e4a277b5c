"""First steps: the same small network in every framework, and what has to be installed for it."""

from __future__ import annotations

from typing import Any, NamedTuple

from framebench.dataset.declared import is_framework
from framebench.dataset.import_times import ImportTime, import_times
from framebench.images.audit.two_builds import load_rebuilds
from framebench.images.matrix import ImageRow, load_matrix
from framebench.language import _
from framebench.pages import figures
from framebench.pages.evidence import Evidence
from framebench.pages.guides.programs import frameworks_with, programs, said
from framebench.pages.image_sizes import SIZES, size_cells
from framebench.pages.views import Cell, Table
from framebench.pages.words import families, stack_name, stacks

NUM = "fb-num"


class FirstError(NamedTuple):
    """What a framework says of a wrong shape, and the line of the reader's own program that it names."""

    name: str
    version: str
    at: str
    words: str


def view(evidence: Evidence) -> dict[str, Any]:
    """Everything the template ``guides/first-steps.md.j2`` needs."""
    return {
        "title": _("First steps"),
        "lead": _(
            "The same small network written in each framework as its users write it, and what has to be installed "
            "to run it."
        ),
        "sources": programs(evidence.root, "first_steps.py"),
        "errors": _errors(evidence),
        "installing": _installing(evidence),
    }


def _errors(evidence: Evidence) -> list[FirstError]:
    """What each program says when its rows are one number short, in its own words."""
    names, root = families(), evidence.root
    every = [(names[code], said(root, code)) for code in frameworks_with(root, "first_steps.py")]
    return [FirstError(name, one.version, one.wrong_shape.at, one.wrong_shape.words) for name, one in every]


def _installing(evidence: Evidence) -> Table:
    """Each stack's image for the CPU: what a pull transfers, what it takes on disk, how long the import takes."""
    rows = load_matrix(evidence.root).for_device("cpu")
    rebuilds = load_rebuilds(evidence.root)
    imports = import_times(evidence.dataset.results)
    table = []
    for stack in stacks():
        row = rows.get(stack.name)
        if row is None or not is_framework(stack):
            continue
        rebuild = rebuilds.get(row.name)
        measured: list[ImportTime | None] = [one for one in imports if one.image == row.name]
        table += [
            [
                _image(row),
                *size_cells(rebuild),
                Cell(figures.duration(one.took.median_ns) if one else _("not measured yet"), NUM),
                Cell(
                    f"{figures.duration(one.took.shortest_ns)}\u2009–\u2009{figures.duration(one.took.longest_ns)}"
                    if one
                    else figures.NONE,
                    NUM,
                ),
                Cell(str(one.took.trials) if one else figures.NONE, NUM),
                Cell(one.host_id, "fb-reason", f"../../hosts/{one.host_id}/") if one else Cell(figures.NONE),
            ]
            for one in measured or [None]
        ]
    head = [
        _("Stack"),
        *map(_, SIZES),
        _("Import, median"),
        _("Shortest – longest"),
        _("Trials"),
        _("Host"),
    ]
    return Table(head, table)


def _image(row: ImageRow) -> Cell:
    return Cell(stack_name(row.stack), href=f"../../images/{row.name}/", stack=row.stack)
