"""Why accuracies differ for the same model: what frameworks do by default, side by side and from version to version."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from framebench.dataset import defaults
from framebench.dataset.defaults import SideBySide, Step
from framebench.language import _
from framebench.pages import figures, source
from framebench.pages.evidence import Evidence
from framebench.pages.source import SourceFile
from framebench.pages.views import Cell, Table
from framebench.pages.words import all_of, info, stack_name, stacks
from framebench.records.defaults_document import Default, defaults_path


class Column(NamedTuple):
    """Stacks of one framework that answer a group's questions alike; ``stack`` is the one whose colour is shown."""

    title: str
    stack: str


class Answered(NamedTuple):
    """One question: a cell for each column, with the number of the note that says why it is empty."""

    words: str
    differs: bool
    cells: list[tuple[str, int | None]]
    follows: str


class Group(NamedTuple):
    """What a table shows; ``notes`` are the reasons of its empty cells."""

    title: str
    columns: list[Column]
    rows: list[Answered]
    notes: list[str]


def view(evidence: Evidence) -> dict[str, Any]:
    """Everything the template ``guides/why-accuracies-differ.md.j2`` needs."""
    rows = defaults.side_by_side(evidence.root)
    return {
        "title": _("Why do accuracies differ for the same model?"),
        "lead": _(
            "Because it is not the same model. What nobody wrote down each framework decides by itself, and not alike: "
            "here is what, asked of the installed packages."
        ),
        "asked": len(rows),
        "differing": sum(row.differs for row in rows),
        "groups": [
            _group(_(title), list(some)) for title, some in groupby(rows, lambda row: row.question.group)
        ],
        "versions": _versions(evidence),
        "steps": _steps(
            defaults.versions(evidence.root), {row.question.name: _(row.question.words) for row in rows}
        ),
        "sources": _tables(evidence),
    }


def _in_order(names: Iterable[str]) -> list[str]:
    """As stacks stand everywhere on the site."""
    order = [stack.name for stack in stacks()]
    return sorted(names, key=order.index)


def _group(title: str, rows: list[SideBySide]) -> Group:
    together = [_in_order(some) for some in defaults.columns(rows)]
    together.sort(key=lambda some: _in_order(name for row in rows[:1] for name in row.answers).index(some[0]))
    notes: list[str] = []
    answered = []
    for row in rows:
        cells = [_cell(row.answers[some[0]], notes) for some in together]
        unit = f" ({_(row.question.unit)})" if row.question.unit else ""
        answered.append(Answered(_(row.question.words) + unit, row.differs, cells, _(row.question.follows)))
    return Group(title, [Column(_title(some), some[0]) for some in together], answered, notes)


def _title(together: Sequence[str]) -> str:
    """``Keras on TensorFlow and JAX`` where two answer alike, the stack's own name where it stands alone."""
    if len(together) == 1:
        return stack_name(together[0])
    framework = stack_name(together[0]).partition(" on ")[0]
    backends = [known.backend for name in together if (known := info(name)) is not None]
    names = [stack_name(backend) for backend in backends]
    return f"{framework} on {all_of(names)}"


def _cell(answer: Default, notes: list[str]) -> tuple[str, int | None]:
    if answer.value is not None:
        return _value(answer), None
    reason = _(answer.reason or "")
    if reason not in notes:
        notes.append(reason)
    return figures.NONE, notes.index(reason) + 1


def _value(answer: Default) -> str:
    """``1e-5`` for a number, a word for yes and no."""
    value = answer.value
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return _(value) if isinstance(value, str) else f"{value:g}".replace("e-0", "e-")


def _versions(evidence: Evidence) -> Table:
    """Which packages were asked, in the image of each stack."""
    stored = defaults.stored(evidence.root)
    rows = [
        [
            Cell(stack_name(stack), stack=stack),
            Cell(image, code=True, href=f"../../images/{image}/"),
            Cell(", ".join(f"{name} {version}" for name, version in table.packages.items()), "fb-reason"),
        ]
        for stack in _in_order(stored)
        for image, table in [stored[stack]]
    ]
    return Table([_("Stack"), _("Image"), _("Packages that were asked")], rows)


def _steps(steps: list[Step], words: dict[str, str]) -> Table:
    """What changed from each version to the next, or that nothing did."""
    rows = []
    for step in steps:
        said = [
            f"{words.get(change.question, change.question)}: {_said(change.before)} → {_said(change.after)}"
            for change in step.changes
        ]
        rows.append(
            [
                Cell(step.newer, code=True, href=f"../../images/{step.newer}/", stack=step.stack),
                Cell(step.older, code=True, href=f"../../images/{step.older}/"),
                Cell("; ".join(said) or _("nothing"), "fb-reason"),
                Cell(str(step.compared), "fb-num"),
            ]
        )
    return Table([_("Image"), _("Against"), _("What changed"), _("Answers compared")], rows)


def _said(answer: Default) -> str:
    return _value(answer) if answer.value is not None else _("none")


def _tables(evidence: Evidence) -> list[SourceFile]:
    """The stored tables, which say of each answer by what it was read."""
    stored = defaults.stored(evidence.root)
    files = [
        source.read(
            evidence.root,
            defaults_path(evidence.root, stored[stack][0]).relative_to(evidence.root).as_posix(),
            stack_name(stack),
        )
        for stack in _in_order(stored)
    ]
    return [one for one in files if one is not None]
