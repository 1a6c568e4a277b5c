"""Wheels of somebody's own in place of locked ones: the row of such an image, its lock, and what is refused.

The lock is the row's with one line changed for each wheel, so everything that goes by the lock (the environment, the
image's layers, what a result is known by) is another than the row's own. The wheel goes into the store beside the
fetched ones.
"""

from __future__ import annotations

import email
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from framebench.errors import UserError
from framebench.images.fetch.wheel_tags import machine, supported_tags
from framebench.images.fetch.wheels import sha256_of, store_wheel, stored
from framebench.images.folders import write_whole
from framebench.images.locks import Wheel, check_lock, is_locked
from framebench.images.matrix import ImageRow, OwnRow
from harness.record import OwnBuild

MARK = "own"
"""Stands in the name of every image with such a wheel."""


class OwnWheel(NamedTuple):
    """A wheel that was given on the command line, read."""

    path: Path
    build: OwnBuild
    tags: frozenset[Tag]


def read_wheels(paths: Iterable[Path]) -> list[OwnWheel]:
    """The wheels, each once; ``UserError`` for a file that is none, and for two of one distribution."""
    wheels: dict[str, OwnWheel] = {}
    for path in dict.fromkeys(paths):
        wheel = _read(path)
        other = wheels.setdefault(wheel.build.distribution, wheel)
        if other is not wheel:
            raise UserError(
                f"--wheel {other.path.name} and {path.name} are both of {wheel.build.distribution};"
                " give one, and measure the other in a run of its own."
            )
    return list(wheels.values())


def refuse_unfit(root: Path, rows: Iterable[ImageRow], wheels: Sequence[OwnWheel]) -> None:
    """``UserError`` for a wheel that no lock of these rows names, or whose Python or platform is another."""
    held = [(row, _named(root, row)) for row in rows if is_locked(root, row)]
    for wheel in wheels:
        name, file = wheel.build.distribution, wheel.path.name
        takers = [row for row, names in held if name in names]
        if not takers:
            others = ", ".join(row.alias for row, _ in held)
            raise UserError(
                f"--wheel {file} is of {name}, which no lock of these images names: {others};"
                " give a wheel of a package that is in one, or name another image with --image."
            )
        for row in takers:
            if not wheel.tags & {*supported_tags(row), *_built_here(row)}:
                raise UserError(
                    f"--wheel {file} cannot be installed in image {row.name}: that has Python {row.python} on Linux"
                    f" ({machine(row)}, glibc), the wheel is for {', '.join(sorted(map(str, wheel.tags)))};"
                    " build it for those, or name another image with --image."
                )


def with_own(root: Path, row: ImageRow, wheels: Sequence[OwnWheel]) -> OwnRow | None:
    """The row with those of the wheels that its lock has a place for, which go into the store; null without one."""
    held = _named(root, row) if is_locked(root, row) else {}
    mine = {wheel.build.distribution: wheel for wheel in wheels if wheel.build.distribution in held}
    if not mine:
        return None
    lines = []
    for name, locked in held.items():
        if (own := mine.get(name)) is None:
            lines.append(locked)
            continue
        size = own.path.stat().st_size
        lines.append(Wheel(f"{name}=={own.build.version}", own.build.sha256, size))
        _store(root, own, lines[-1])
    hashes = "-".join(sorted(wheel.build.sha256[:8] for wheel in mine.values()))
    end = row.name.removeprefix(f"{row.stack}-")
    version, _, rest = end.partition(f"-{row.accelerator}-")
    name = f"{row.stack}-{version}-{MARK}-{hashes}-{row.accelerator}-{rest}"
    lock = root / "build" / "own-locks" / f"{name}.txt"
    write_whole(lock, "".join(wheel.line() for wheel in lines).encode())
    fields = msgspec.structs.asdict(row) | {"name": name, "default": False}  # the alias stays the row's
    return OwnRow(**fields, lock=lock, own_builds=tuple(wheel.build for wheel in mine.values()))


def plain_name(image_name: str) -> str:
    """The name of the row behind an image with own builds; any other name as it is."""
    return re.sub(rf"-{MARK}(?:-[0-9a-f]{{8}})+", "", image_name)


def _read(path: Path) -> OwnWheel:
    try:
        name, version, _, tags = parse_wheel_filename(path.name)
    except (InvalidWheelFilename, InvalidVersion):
        raise UserError(
            f"--wheel {path}: the name is not that of a wheel (name-version-python-abi-platform.whl);"
            " keep the name that the build gave it."
        ) from None
    try:
        with zipfile.ZipFile(path) as archive:
            member = next(one for one in archive.namelist() if one.endswith(".dist-info/METADATA"))
            said = email.message_from_bytes(archive.read(member))
        same = canonicalize_name(said["Name"]) == name and Version(said["Version"]) == version
    except OSError as error:
        raise UserError(
            f"--wheel {path} cannot be read: {error.strerror}; name a file that is there."
        ) from None
    except (zipfile.BadZipFile, StopIteration, TypeError, InvalidVersion):
        raise UserError(f"--wheel {path} is no whole wheel; build or copy it again.") from None
    if not same:
        raise UserError(
            f"--wheel {path} holds {said['Name']} {said['Version']}, and its name says {name} {version};"
            " keep the name that the build gave it."
        )
    build = OwnBuild(distribution=name, version=str(version), file=path.name, sha256=sha256_of(path))
    return OwnWheel(path, build, tags)


def _named(root: Path, row: ImageRow) -> dict[str, Wheel]:
    """The lines of the row's lock by the name of their distribution, in order."""
    return {str(canonicalize_name(wheel.pin.partition("==")[0])): wheel for wheel in check_lock(root, row)}


def _built_here(row: ImageRow) -> set[Tag]:
    """What a build that nobody made portable is tagged with; indexes do not take it, pip does."""
    return {
        Tag(tag.interpreter, tag.abi, f"linux_{machine(row)}")
        for tag in supported_tags(row)
        if tag.platform != "any"
    }


def _store(root: Path, own: OwnWheel, wheel: Wheel) -> None:
    """A copy into the store, whole or not at all."""
    if stored(root, wheel) is not None:
        return
    store = root / "build" / "store"
    store.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=store, prefix="own-") as folder:
        copy = Path(shutil.copyfile(own.path, Path(folder, own.path.name)))
        if sha256_of(copy) != wheel.sha256:
            raise UserError(
                f"--wheel {own.path} has changed while it was read; run again when its build has ended."
            )
        store_wheel(root, copy, wheel.sha256)
