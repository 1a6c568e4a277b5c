"""A suite says what to compare: cases, contenders, rounds and the protocol's parameters, in one TOML file."""

from __future__ import annotations

import difflib
from pathlib import Path

from framebench.campaign.suite_bounds import MOST_ROUNDS, check
from framebench.campaign.suite_form import CaseRow, Device, Headline, Suite, parse_contender, select
from framebench.errors import UserError
from framebench.strict_toml import NO_CLONE, read_toml

__all__ = [
    "CaseRow",
    "Device",
    "Headline",
    "Suite",
    "available",
    "load",
    "load_self_test",
    "parse_contender",
    "select",
]


def available(root: Path) -> list[str]:
    """Names of the suites in ``suites/``."""
    return sorted(path.stem for path in (root / "suites").glob("*.toml"))


def load(root: Path, name: str) -> Suite:
    """The suite of this name, or in the file of this path (which ends in ``.toml``), checked.

    Unknown or malformed gives one sentence with file, key and what was expected.
    """
    if name.endswith(".toml"):
        mend = f"give the path of a suite's file, or a name: {', '.join(available(root))}"
        suite = _checked(Path(name).expanduser(), name, mend)
        _refuse_borrowed_name(root, suite, name)
        return suite
    if name not in available(root):
        near = difflib.get_close_matches(name, available(root), n=3, cutoff=0.0)
        raise UserError(
            f"unknown suite {name!r}; the nearest: {', '.join(near)} (a file of your own: its path, ending in .toml)"
        )
    return _read(root, f"{name}.toml")


def load_self_test(root: Path, name: str) -> Suite:
    """A suite of the self-test (``suites/selftest/``), which measures the machinery and no framework."""
    return _read(root, f"selftest/{name}.toml", most_rounds=100)


def _read(root: Path, file: str, most_rounds: int = MOST_ROUNDS) -> Suite:
    return _checked(root / "suites" / file, f"suites/{file}", most_rounds=most_rounds)


def _checked(path: Path, where: str, mend: str = NO_CLONE, most_rounds: int = MOST_ROUNDS) -> Suite:
    suite = read_toml(path, Suite, mend)
    check(suite, where, most_rounds)
    return suite


def _refuse_borrowed_name(root: Path, suite: Suite, where: str) -> None:
    """Results go by the name of their protocol: a suite of somebody's own that has one of ours has all of it."""
    every = (read_toml(root / "suites" / f"{name}.toml", Suite).protocol for name in available(root))
    ours = [protocol for protocol in every if protocol.name == suite.protocol.name]
    if ours and suite.protocol not in ours:
        raise UserError(
            f"{where}: key protocol.name: {suite.protocol.name!r} is a protocol of framebench's own suites, and"
            " has other values there; give yours another name."
        )
