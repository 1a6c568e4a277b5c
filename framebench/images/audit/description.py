"""What is in an image, package by package: from its lock, the licence list and the last check, nothing is built."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from framebench.images.audit.licences import load_licences
from framebench.images.audit.two_builds import Rebuild, RebuiltLayer, load_rebuilds
from framebench.images.locks import check_lock, lock_path
from framebench.images.make.assembly import base_locks
from framebench.images.matrix import ImageRow
from framebench.images.published import Published, load_published


class Package(NamedTuple):
    """A wheel of an image."""

    name: str
    version: str
    sha256: str
    licence: str | None
    """As its metadata says it; null when it was never read."""
    layer: RebuiltLayer | None
    """Its layer; null when the image was never checked with this wheel."""


class Description(NamedTuple):
    row: ImageRow
    packages: list[Package]
    """Empty where the row has no lock."""
    debian: dict[str, int]
    """Number of Debian packages by base, bottom first."""
    rebuild: Rebuild | None
    """How the last two clean builds compared; null when none was recorded."""
    published: list[Published]
    """Where it can be pulled, the newest first; one address for each state of the harness that was pushed."""


def describe(root: Path, row: ImageRow) -> Description:
    """Everything the repository says of an image."""
    rebuild = load_rebuilds(root).get(row.name)
    layers = {layer.holds: layer for layer in rebuild.layers} if rebuild else {}
    licences = load_licences(root)
    wheels = check_lock(root, row) if lock_path(root, row).exists() else []
    packages = []
    for wheel in wheels:
        name, _, version = wheel.pin.partition("==")
        packages.append(Package(name, version, wheel.sha256, licences.get(wheel.pin), layers.get(wheel.pin)))
    debian = {name: len(lock.packages) for name, lock in base_locks(root, row).items()}
    published = [entry for entry in load_published(root).values() if entry.name == row.name]
    published.sort(key=lambda entry: entry.pushed_utc, reverse=True)
    return Description(row, packages, debian, rebuild, published)
