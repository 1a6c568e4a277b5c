"""A suite says what to compare: cases, contenders, rounds and the protocol's parameters, in one TOML file."""

from __future__ import annotations

import difflib
from pathlib import Path

from framebench.campaign.suite_bounds import check
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
        return _checked(Path(name).expanduser(), name, mend)
    if name not in available(root):
        near = difflib.get_close_matches(name, available(root), n=3, cutoff=0.0)
        raise UserError(
            f"unknown suite {name!r}; the nearest: {', '.join(near)} (a file of your own: its path, ending in .toml)"
        )
    return _read(root, f"{name}.toml")


def load_self_test(root: Path, name: str) -> Suite:
    """A suite of the self-test (``suites/selftest/``), which measures the machinery and no framework."""
    return _read(root, f"selftest/{name}.toml")


def _read(root: Path, file: str) -> Suite:
    return _checked(root / "suites" / file, f"suites/{file}")


def _checked(path: Path, where: str, mend: str = NO_CLONE) -> Suite:
    suite = read_toml(path, Suite, mend)
    check(suite, where)
    return suite
