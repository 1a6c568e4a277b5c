"""The known differences: what frameworks do by default, side by side, and from version to version."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from framebench.images import ImageRow, load_matrix
from framebench.records.defaults_document import Default, DefaultsTable, read_defaults
from framebench.strict_toml import read_toml
from harness import frameworks

NOT_ASKED = Default(value=None, reason="not asked when the table was made")

Words = Annotated[str, Meta(min_length=1)]


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One question in words; ``unit`` says of what size the answer is, ``follows`` what it means for a user."""

    name: Annotated[str, Meta(pattern=r"^[a-z0-9_]+$")]
    group: Words
    words: Words
    unit: str = ""
    follows: Words


class _Document(msgspec.Struct, forbid_unknown_fields=True):
    question: Annotated[list[Question], Meta(min_length=1)]


class SideBySide(NamedTuple):
    """A question's answer in each stack, and whether those that have one disagree."""

    question: Question
    answers: dict[str, Default]
    differs: bool


class Change(NamedTuple):
    """An answer that is another in the next image of a stack."""

    question: str
    before: Default
    after: Default


class Step(NamedTuple):
    """From one image of a stack to the next newer one; to ``compared`` questions one of them has a value."""

    stack: str
    older: str
    newer: str
    compared: int
    changes: list[Change]


def questions(root: Path) -> list[Question]:
    """In the order in which a reader meets them; ``UserError`` names file and key."""
    return read_toml(root / "containers" / "defaults" / "questions.toml", _Document).question


def has_defaults(root: Path, row: ImageRow) -> bool:
    """Whether the framework of an image has answers; those that run what others exported have none."""
    return (root / "harness" / "frameworks" / frameworks.info(row.stack).framework / "defaults.py").exists()


def stored(root: Path) -> dict[str, tuple[str, DefaultsTable]]:
    """By stack, the name of its default image for the CPU and its table; a stack without one is left out."""
    return {
        stack: (row.name, table)
        for stack, row in load_matrix(root).for_device("cpu").items()
        if (table := read_defaults(root, row.name)) is not None
    }


def side_by_side(root: Path) -> list[SideBySide]:
    """Each question in the stacks that have a stored table."""
    tables = {stack: table for stack, (_, table) in stored(root).items()}
    return [_compared(question, tables) for question in questions(root)]


def columns(rows: Sequence[SideBySide]) -> list[list[str]]:
    """The stacks of ``rows``, those of one framework together that answer all of them alike."""
    together: dict[tuple[object, ...], list[str]] = {}
    for stack in rows[0].answers if rows else []:
        values = tuple(row.answers[stack].value for row in rows)
        together.setdefault((frameworks.info(stack).framework, *values), []).append(stack)
    return list(together.values())


def _compared(question: Question, tables: Mapping[str, DefaultsTable]) -> SideBySide:
    answers = {stack: table.answers.get(question.name, NOT_ASKED) for stack, table in tables.items()}
    values = {answer.value for answer in answers.values() if answer.value is not None}
    return SideBySide(question, answers, len(values) > 1)


def versions(root: Path) -> list[Step]:
    """Each stack's images for the CPU with a stored table, from version to version."""
    stored: dict[str, list[tuple[ImageRow, DefaultsTable]]] = {}
    for row in load_matrix(root).select(all_cpu=True):
        if (table := read_defaults(root, row.name)) is not None:
            stored.setdefault(row.stack, []).append((row, table))
    steps = []
    for stack, tables in stored.items():
        tables.sort(key=lambda one: _version(one[0]))
        for (older, before), (newer, after) in pairwise(tables):
            steps.append(
                Step(stack, older.name, newer.name, _compared_values(before, after), changes(before, after))
            )
    return steps


def changes(before: DefaultsTable, after: DefaultsTable) -> list[Change]:
    """What both were asked and do not answer alike, by value; a question of one alone is no change."""
    return [
        Change(name, before.answers[name], after.answers[name])
        for name in sorted(before.answers.keys() & after.answers.keys())
        if before.answers[name].value != after.answers[name].value
    ]


def _compared_values(before: DefaultsTable, after: DefaultsTable) -> int:
    """Of the questions that both were asked, those to which one at least has a value."""
    shared = before.answers.keys() & after.answers.keys()
    valued = [name for name in shared for one in (before, after) if one.answers[name].value is not None]
    return len(set(valued))


def packages_changed(before: DefaultsTable, after: DefaultsTable) -> Iterable[str]:
    """``name old → new`` of each package whose version is another."""
    for name in sorted(before.packages.keys() | after.packages.keys()):
        old, new = before.packages.get(name, "none"), after.packages.get(name, "none")
        if old != new:
            yield f"{name} {old} → {new}"


def _version(row: ImageRow) -> tuple[int, ...]:
    """Of ``<stack>-<version>-<accelerator>-…``."""
    numbers = row.name.removeprefix(f"{row.stack}-").partition("-")[0].split(".")
    return tuple(int(number) for number in numbers)
