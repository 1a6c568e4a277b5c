"""The bill of materials of an image (CycloneDX 1.6, JSON): every wheel, every Debian package, the harness.

Equal inputs give equal bytes: the time is the base's epoch, and the serial number is derived from the content.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from uuid import NAMESPACE_URL, UUID, uuid5

import msgspec
from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import License
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from framebench.errors import UserError
from framebench.images.audit.licences import deb_licences, wheel_licence
from framebench.images.fetch.debs import BaseLock, fetch_debs, load_base_lock
from framebench.images.fetch.wheels import fetch_wheels
from framebench.images.locks import check_lock, lock_sha256
from framebench.images.make.harness_layer import harness_tree_sha256
from framebench.images.matrix import ImageRow


class Licensed(NamedTuple):
    """One line of an image's licence list."""

    name: str
    version: str
    licence: str


def sbom(root: Path, row: ImageRow, wheels: Path, debs: list[Path]) -> bytes:
    """The bill of materials of the image of ``row``.

    Parameters
    ----------
    wheels : folder with the wheels of the row's lock, as ``fetch_wheels`` returns it.
    debs : the .deb files of the row's bases, bottom first, each base's in the order of its lock.

    Raises
    ------
    UserError
        when the wheels or Debian packages are not those of the locks.
    """
    locks = [load_base_lock(root, name) for name in _base_names(root, row)]
    image = Component(
        type=ComponentType.CONTAINER,
        name=row.name,
        bom_ref="image",
        properties=[
            Property(name="org.framebench.lock-sha256", value=lock_sha256(root, row)),
            Property(name="org.framebench.arch", value=row.arch),
        ],
    )
    parts = [*_python(root, row, wheels), *_debian(locks, debs), _harness(root)]
    bom = Bom(components=parts, serial_number=UUID(int=0))
    bom.metadata.component = image
    bom.metadata.timestamp = datetime.fromtimestamp(locks[0].epoch, UTC)
    bom.register_dependency(image, parts)
    content = JsonV1Dot6(bom).output_as_string(indent=1)
    bom.serial_number = uuid5(NAMESPACE_URL, content)
    return (JsonV1Dot6(bom).output_as_string(indent=1) + "\n").encode()


def image_sbom(root: Path, row: ImageRow, progress: Callable[[str], None]) -> bytes:
    """The same, from the store; wheels and Debian packages that it lacks are fetched."""
    debs = [deb for name in _base_names(root, row) for deb in fetch_debs(root, name, progress)]
    return sbom(root, row, fetch_wheels(root, row, progress), debs)


def licences(bom: bytes) -> list[Licensed]:
    """The licence list of a bill of materials, by name; several licences are joined by commas."""
    licensed = []
    for part in msgspec.json.decode(bom)["components"]:
        said = [
            entry.get("expression") or entry["license"].get("id") or entry["license"]["name"]
            for entry in part["licenses"]
        ]
        licensed.append(Licensed(part["name"], part["version"], ", ".join(said)))
    return sorted(licensed)


def _python(root: Path, row: ImageRow, wheels: Path) -> Iterator[Component]:
    files = {_normal(file.name.split("-")[0]): file for file in wheels.glob("*.whl")}
    for wheel in check_lock(root, row):
        name, _, version = wheel.pin.partition("==")
        if name not in files:
            raise UserError(f"{wheels} has no wheel of {wheel.pin}, which the lock of '{row.name}' names.")
        yield Component(
            type=ComponentType.LIBRARY,
            name=name,
            version=version,
            bom_ref=f"pypi/{wheel.pin}",
            purl=PackageURL("pypi", name=name, version=version),
            hashes=[_sha256(wheel.sha256)],
            licenses=[_license(wheel_licence(files[name]))],
        )


def _debian(locks: list[BaseLock], files: list[Path]) -> Iterator[Component]:
    debs = [(lock.suite, deb) for lock in locks for deb in lock.debs()]
    if len(debs) != len(files):
        raise UserError(
            f"The base's locks name {len(debs)} Debian packages, and {len(files)} files were given."
        )
    said = deb_licences({deb.name: file for (_, deb), file in zip(debs, files, strict=True)})
    for suite, deb in debs:
        arch = deb.path.removesuffix(".deb").rpartition("_")[2]
        yield Component(
            type=ComponentType.LIBRARY,
            name=deb.name,
            version=deb.version,
            bom_ref=f"deb/{deb.name}={deb.version}",
            purl=PackageURL(
                "deb", "debian", deb.name, deb.version, qualifiers={"arch": arch, "distro": suite}
            ),
            hashes=[_sha256(deb.sha256)],
            licenses=[LicenseFactory().make_with_name(licence) for licence in said[deb.name]],
        )


def _harness(root: Path) -> Component:
    digest = harness_tree_sha256(root)
    return Component(
        type=ComponentType.APPLICATION,
        name="framebench-harness",
        version=digest,
        bom_ref="harness",
        hashes=[_sha256(digest)],
        licenses=[LicenseFactory().make_with_id("Apache-2.0")],
    )


def _base_names(root: Path, row: ImageRow) -> list[str]:
    """The row's base and those below it, bottom first."""
    names = [row.base]
    while parent := load_base_lock(root, names[0]).parent:
        names.insert(0, parent)
    return names


def _license(said: str) -> License:
    """An SPDX id or expression where it is one, else a name."""
    return LicenseFactory().make_from_string(said)


def _sha256(digest: str) -> HashType:
    return HashType(alg=HashAlgorithm.SHA_256, content=digest)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
