"""Waivers held against what was refused: each turns its refusal into a warning until its last day."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from datetime import date
from pathlib import Path

from framebench.checking.doubt import Doubt, Finding, refuse, warn
from framebench.errors import UserError, one_line, quoted
from framebench.records.manifests import place
from framebench.records.waivers import WAIVERS, Waiver, read_waivers


def waive(found: Sequence[Finding], asked: Iterable[Path], results: Path, today: date) -> list[Finding]:
    """The findings, those that are waived as warnings, and what is to be said of the waivers themselves.

    ``asked``: the files that were looked at; nothing is said of the waivers of others.
    """
    path = results / WAIVERS
    try:
        waivers = read_waivers(results)
    except UserError as error:
        said = str(error).removeprefix(f"{path}: ").removeprefix(f"{path} ").rstrip(".")
        return [*found, Finding(path, refuse("waiver", said, "mend it; until then nothing is waived"))]
    valid = {(one.file, one.rule): one for one in waivers if one.in_force(today)}
    told = [_waived(one, valid.get((_name(one.path, results), one.doubt.field))) for one in found]
    needed = {(_name(one.path, results), one.doubt.field) for one in found if one.doubt.refused}
    names = {_name(one, results) for one in asked}
    return [*told, *(Finding(path, one) for one in _of_waivers(waivers, needed, names, results, today))]


def _waived(finding: Finding, waiver: Waiver | None) -> Finding:
    field, words, refused = finding.doubt
    if waiver is None or not refused:
        return finding
    why = f"waived until {waiver.until} by {one_line(waiver.by)}, because {one_line(waiver.why)}"
    return Finding(finding.path, Doubt(field, f"{words} ({why})", False))


def _of_waivers(
    waivers: Sequence[Waiver], needed: Set[tuple[str, str]], names: Set[str], results: Path, today: date
) -> Iterator[Doubt]:
    for one in waivers:
        if one.too_long(today):
            words = (
                f"that of {quoted(one.file)} for {quoted(one.rule)} ends on {one.until}, in more than a year"
            )
            yield refuse("waiver", words, "write an earlier day; until then it is for nothing")
        elif (one.file, one.rule) in needed:
            if one.until < today:
                words = f"that of {quoted(one.file)} for {quoted(one.rule)} ended on {one.until}"
                yield warn("waiver", words, "mend the file, or agree on a later day and say why")
        elif one.file in names or not (results / one.file).exists():
            words = f"that of {quoted(one.file)} for {quoted(one.rule)} is for nothing that is refused"
            yield warn("waiver", words, "delete it")


def _name(path: Path, results: Path) -> str:
    """A file's place below the results, as a waiver has it."""
    path, results = path.absolute(), results.absolute()
    return path.relative_to(results).as_posix() if path.is_relative_to(results) else place(path)
