"""Which images may be given to others: every package's terms were read, and they allow it.

``containers/redistribution.toml`` holds the readings; ``containers/NVIDIA-TERMS.md`` their reasons.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from framebench.errors import UserError
from framebench.images.fetch.debs import load_base_lock
from framebench.images.fetch.wheel_tags import is_for_here
from framebench.images.locks import check_lock, lock_path
from framebench.images.matrix import ImageRow
from framebench.strict_toml import read_toml

_FILE = "containers/redistribution.toml"
_NonEmpty = Annotated[str, Meta(min_length=1)]


class Terms(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One reading: packages that share terms."""

    licence: _NonEmpty
    redistributable: bool
    condition: _NonEmpty
    """Under which they may be given on, or why they may not."""
    packages: Annotated[list[_NonEmpty], Meta(min_length=1)]
    """Shell patterns over ``name==version``."""
    source: _NonEmpty
    """File that was read."""
    sha256: list[Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]] = []
    """Of the licence files that were read."""
    checked_by: _NonEmpty
    checked_on: datetime.date

    def cover(self, pin: str) -> bool:
        return any(fnmatchcase(pin, pattern) for pattern in self.packages)


class _Document(msgspec.Struct, forbid_unknown_fields=True):
    terms: list[Terms]


def load_terms(root: Path) -> list[Terms]:
    """The readings; ``UserError`` names file and field of what is wrong in them."""
    path = root / _FILE
    return read_toml(path, _Document, "nobody has read the terms of any package; restore it").terms


def refuse_unchecked(root: Path, row: ImageRow) -> None:
    """Return if every package of the image may be given on.

    Raises
    ------
    UserError
        naming the packages whose terms nobody has read, or whose terms do not allow it.
    """
    terms = load_terms(root)
    unread, forbidden = _outside_main(root, row), []
    for wheel in check_lock(root, row):
        covering = [reading for reading in terms if reading.cover(wheel.pin)]
        if not covering:
            unread.append(wheel.pin)
        elif not all(reading.redistributable for reading in covering):
            forbidden.append(wheel.pin)
    said = []
    if forbidden:
        said.append(f"the terms of {', '.join(forbidden)} do not allow it (containers/NVIDIA-TERMS.md)")
    if unread:
        said.append(
            f"nobody has read the terms of {', '.join(unread)}; read them and add an entry to {_FILE}"
        )
    if said:
        raise UserError(f"Image '{row.name}' may not be pushed: {'; '.join(said)}.")


def publishable(root: Path, rows: list[ImageRow], progress: Callable[[str], None]) -> list[str]:
    """Names of the locked images that may be given on; ``progress`` hears why each other one may not."""
    names = []
    for row in rows:
        if not lock_path(root, row).exists():
            progress(f"Image '{row.name}' has no lock, so it cannot be built.")
            continue
        if not is_for_here(row):
            progress(f"Image '{row.name}' is for {row.arch} processors: build and push it on such a machine.")
            continue
        try:
            refuse_unchecked(root, row)
        except UserError as error:
            progress(str(error))
        else:
            names.append(row.name)
    return names


def _outside_main(root: Path, row: ImageRow) -> list[str]:
    """The base's Debian packages that are not in the archive's section main, which is free software."""
    packages, name = [], row.base or None
    while name:
        lock = load_base_lock(root, name)
        packages += [
            f"{deb.name}={deb.version} (Debian)" for deb in lock.debs() if "/main/" not in f"/{deb.path}"
        ]
        name = lock.parent
    return packages
