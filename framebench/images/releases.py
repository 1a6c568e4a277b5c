"""The newest releases known of what images hold: ``containers/releases.toml``; what is older is said to be."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from framebench.strict_toml import read_toml

Words = Annotated[str, Meta(min_length=1, max_length=300)]


class Release(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The newest release of a package. ``packages``: the names under which an index has it, and records name it."""

    title: Words
    packages: Annotated[list[Words], Meta(min_length=1)]
    version: Annotated[str, Meta(pattern=r"^\d+\.\d+(\.\d+)*$")]
    released: date
    looked_up: date
    source: Annotated[str, Meta(pattern=r"^https?://")]

    def __post_init__(self) -> None:
        if self.looked_up < self.released:
            raise ValueError(
                f"{self.title} {self.version} was looked up before it was released: correct one date"
            )


class _Document(msgspec.Struct, forbid_unknown_fields=True):
    release: list[Release] = []


class Behind(NamedTuple):
    """A version that is older than a release by a minor version or more."""

    version: str
    release: Release


def load_releases(root: Path) -> list[Release]:
    """Those that the checkout ``root`` knows, none without the file; ``UserError`` names file and key."""
    path = root / "containers" / "releases.toml"
    return read_toml(path, _Document).release if path.exists() else []


def behind(versions: Mapping[str, str], releases: Iterable[Release]) -> list[Behind]:
    """What of these versions (by package) is older; a version that is none is not judged."""
    found = []
    for release in releases:
        version = next((versions[name] for name in release.packages if name in versions), None)
        if version is not None and (minor := _minor(version)) and minor < (_minor(release.version) or minor):
            found.append(Behind(version, release))
    return found


def _minor(version: str) -> tuple[int, int] | None:
    """``2.13.0+cpu`` → (2, 13)."""
    numbers = re.match(r"(\d{1,9})\.(\d{1,9})(?!\d)", version, re.ASCII)
    return (int(numbers[1]), int(numbers[2])) if numbers else None
