"""The perf-changelog: what may have changed speed, and which cases are to be measured again for it."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from framebench.errors import UserError
from framebench.strict_toml import read_toml
from harness import frameworks

Words = Annotated[str, Meta(min_length=1, max_length=500)]


class Bump(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename={"old": "from", "new": "to"}
):
    """A package's version, before and after."""

    package: Words
    old: Words
    new: Words


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One change of what some stacks are measured with: of a package's version, or of the harness by a commit.

    ``cases`` are globs over paths of cases, as suites have them; what was measured there before ``date`` is to be
    measured again.
    """

    date: Annotated[datetime, Meta(tz=True)]
    stacks: Annotated[list[Words], Meta(min_length=1)]
    what: Words
    cases: Annotated[list[Words], Meta(min_length=1)]
    version: Bump | None = None
    commit: Annotated[str, Meta(pattern=r"^[0-9a-f]{7,40}$")] | None = None

    def __post_init__(self) -> None:
        if (self.version is None) == (self.commit is None):
            raise ValueError("an entry needs a version (package, from, to) or a commit, and not both")

    def names(self, stack: str, case_path: str) -> bool:
        """Whether the stack is to be measured again in the case."""
        return stack in self.stacks and any(fnmatchcase(case_path, glob) for glob in self.cases)


class _Document(msgspec.Struct, forbid_unknown_fields=True):
    change: list[Entry] = []


def load_perf_changelog(root: Path) -> list[Entry]:
    """The entries of the checkout ``root``, the newest first, none without the file; ``UserError`` names file, key."""
    path = root / "containers" / "perf-changelog.toml"
    entries = read_toml(path, _Document).change if path.exists() else []
    _refuse_unknown(path, entries)
    return sorted(entries, key=lambda entry: entry.date, reverse=True)


def _refuse_unknown(path: Path, entries: Sequence[Entry]) -> None:
    """A stack that nobody declares would be measured again by nobody."""
    known = sorted(frameworks.stacks().keys() - {frameworks.SELF_TEST})
    for number, entry in enumerate(entries):
        for stack in entry.stacks:
            if stack not in known and not frameworks.broken():
                near = difflib.get_close_matches(stack, known, n=1, cutoff=0.0)
                raise UserError(
                    f"{path}: key change[{number}].stacks: unknown stack '{stack}'; the nearest is {near[0]}."
                )
