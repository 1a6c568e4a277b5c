"""What wheels and Debian packages say of their licences, in their own words: nothing is guessed."""

from __future__ import annotations

import logging
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path
from typing import cast
from zipfile import ZipFile

import msgspec
from debian.copyright import Copyright, License, NotMachineReadableError
from debian.debfile import DebFile

from framebench.errors import UserError
from framebench.images.fetch.wheels import stored
from framebench.images.folders import write_whole
from framebench.images.locks import check_lock
from framebench.images.matrix import ImageRow

logging.getLogger("debian.copyright").setLevel(logging.ERROR)  # it warns of every old-fashioned format URL
_LINE = 60  # characters; a longer or many-lined License field holds the text itself


def wheel_licence(wheel: Path) -> str:
    """The licence that a wheel's METADATA names: its expression, else its License field, else its classifiers.

    Where it names none, the place of its licence file in the wheel.
    """
    with ZipFile(wheel) as archive:
        inside = next(
            name
            for name in archive.namelist()
            if name.count("/") == 1 and name.endswith(".dist-info/METADATA")
        )
        metadata: Message = HeaderParser().parsestr(archive.read(inside).decode(errors="replace"))
        texts = [name for name in archive.namelist() if "license" in name.lower() and ".dist-info/" in name]
    if expression := metadata["License-Expression"]:
        return str(expression)
    if (field := (metadata["License"] or "").strip()) and len(field) <= _LINE and "\n" not in field:
        return field
    named = [
        line.rpartition("::")[2].strip()
        for line in metadata.get_all("Classifier", [])
        if line.startswith("License ::")
    ]
    if named:
        return ", ".join(named)
    return (
        f"not named in METADATA; see {texts[0]}"
        if texts
        else "not named, and the wheel holds no licence file"
    )


def load_licences(root: Path) -> dict[str, str]:
    """``name==version`` → licence of the wheels that were read so far: ``containers/licences.json``."""
    path = root / "containers" / "licences.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, str])
    except FileNotFoundError:
        return {}
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise UserError(
            f"{path}: {error}; `framebench build --check` writes it anew once it is deleted."
        ) from None


def note_licences(root: Path, rows: list[ImageRow]) -> None:
    """Read the licences of these images' wheels, which are in the store, into ``containers/licences.json``."""
    known = load_licences(root)
    for row in rows:
        for wheel in check_lock(root, row):
            if wheel.pin not in known and (file := stored(root, wheel)) is not None:
                known[wheel.pin] = wheel_licence(file)
    content = msgspec.json.format(msgspec.json.encode(dict(sorted(known.items()))), indent=1) + b"\n"
    write_whole(root / "containers" / "licences.json", content)


def deb_licences(debs: dict[str, Path]) -> dict[str, list[str]]:
    """The licences in each package's ``/usr/share/doc/<package>/copyright``, where that is machine-readable (DEP-5).

    Where it is not, or there is none, one entry that says so. ``debs`` is package name → .deb; a package whose doc
    folder is a link has the licences of the package that it links to.
    """
    licences: dict[str, list[str]] = {}
    links: dict[str, str] = {}
    for package, path in debs.items():
        read = _copyright(package, path)
        if isinstance(read, str):
            links[package] = read
        else:
            licences[package] = read
    for package, target in links.items():
        licences[package] = licences.get(target, [f"see /usr/share/doc/{target}/copyright"])
    return licences


def _copyright(package: str, path: Path) -> list[str] | str:
    """The licences of one package, or the package whose doc folder it shares."""
    place = f"usr/share/doc/{package}"
    with DebFile(path) as deb:
        data = deb.data.tgz()
        text = None
        for member in data:
            name = member.name.removeprefix("./")
            if name == place and member.issym():
                return Path(member.linkname).name
            if name == f"{place}/copyright" and member.isfile():
                file = data.extractfile(member)
                text = file.read().decode(errors="replace") if file else None
                break
    if text is None:
        return ["no copyright file in the package"]
    unreadable = [f"not machine-readable: /{place}/copyright"]
    try:
        parsed = Copyright(text.splitlines(), strict=False)
    except (NotMachineReadableError, ValueError):
        return unreadable
    said = {cast(License, paragraph.license).synopsis for paragraph in parsed.all_files_paragraphs()}
    return sorted(filter(None, said)) or unreadable
