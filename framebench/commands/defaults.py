"""``framebench defaults``: what frameworks do where nobody says otherwise, asked in their images and stored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from framebench.commands.saying import Sayer
from framebench.dataset import defaults
from framebench.errors import UserError
from framebench.executors import Progress
from framebench.executors.asking import ask
from framebench.executors.choose import choose
from framebench.images import ImageRow, load_matrix
from framebench.images.folders import write_whole
from framebench.records.defaults_document import (
    Default,
    DefaultsTable,
    decode_defaults,
    defaults_path,
    encode_defaults,
    read_defaults,
)


def run(root: Path, names: Sequence[str], check: bool, executor: str, console: Console) -> int:
    """Store the table of each image, or with ``check`` compare it with the stored one; 1 if one differs then."""
    say = Sayer(console)
    chosen = choose(root, executor, say).name
    differing = 0
    for row in _rows(root, names):
        stored = read_defaults(root, row.name)
        table = _asked(root, chosen, row, say)
        lines = [*_differences(row, stored, table)]
        for line in lines or [f"{row.name}: {len(table.answers)} answers, as stored"]:
            say(line)
        if not check and lines:
            path = defaults_path(root, row.name)
            write_whole(path, encode_defaults(table))
            say(f"{row.name}: wrote {path.relative_to(root)}; commit it")
        differing += bool(lines)
    return int(check and differing > 0)


def _rows(root: Path, names: Sequence[str]) -> list[ImageRow]:
    """The images asked for, or the default ones whose framework has answers."""
    rows = load_matrix(root).select(names)
    for row in rows if names else []:
        if not defaults.has_defaults(root, row):
            raise UserError(
                f"{row.name} has no defaults of its own: it runs models that are made by another framework."
            )
    return [row for row in rows if defaults.has_defaults(root, row)]


def _asked(root: Path, executor: str, row: ImageRow, say: Progress) -> DefaultsTable:
    answer = ask(root, executor, row, "harness.defaults", say)
    table = decode_defaults(answer, f"python -m harness.defaults in {row.name}", "mend harness/defaults")
    known = {question.name for question in defaults.questions(root)}
    if table.answers.keys() != known:
        odd = ", ".join(sorted(table.answers.keys() ^ known))
        raise UserError(
            f"{row.name}: {odd} in only one of containers/defaults/questions.toml and the answers of "
            f"harness/frameworks for {row.stack}: add it to the other."
        )
    return table


def _differences(row: ImageRow, stored: DefaultsTable | None, asked: DefaultsTable) -> Iterator[str]:
    """A line for all that another table would say; none if it would be the same file."""
    if stored is None:
        yield f"{row.name}: no stored table"
        return
    for package in defaults.packages_changed(stored, asked):
        yield f"{row.name}: {package}"
    for name in sorted(stored.answers.keys() | asked.answers.keys()):
        before, after = stored.answers.get(name), asked.answers.get(name)
        if before != after:
            yield f"{row.name}: {name}: stored {_said(before)}, now {_said(after)}"


def _said(answer: Default | None) -> str:
    if answer is None:
        return "nothing"
    return f"none ({answer.reason})" if answer.value is None else f"{answer.value!r} by {answer.read}"
