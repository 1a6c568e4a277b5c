"""Unpack Debian packages into one tar from which dpkg can run: the seed of a base, without root rights.

A .deb is an ``ar`` archive whose member ``data.tar.xz`` holds the files. Debian 12 has merged /usr: /bin,
/sbin and /lib are links into /usr, so members below them are renamed.
"""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from framebench.errors import UserError

_MERGED = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64"}


def write_rootfs(debs: list[Path], target: Path) -> None:
    """Write the files of all ``debs``, and an empty package database, as the tar ``target``."""
    with tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as out:
        seen: set[str] = set()
        for link, place in _MERGED.items():
            out.addfile(_entry(place, tarfile.DIRTYPE, 0o755))
            out.addfile(_entry(link, tarfile.SYMTYPE, 0o777, place))
            seen |= {link, place}
        for deb in debs:
            with tarfile.open(fileobj=io.BytesIO(_data(deb))) as files:
                for member in files:
                    member.name = _merged(member.name)
                    if member.islnk():
                        member.linkname = _merged(member.linkname)
                    if member.name in seen or member.name == "":
                        continue
                    seen.add(member.name)
                    out.addfile(member, files.extractfile(member) if member.isreg() else None)
        for name in ("var/lib/dpkg/status", "var/lib/dpkg/available"):
            out.addfile(_entry(name, tarfile.REGTYPE, 0o644))


def _merged(name: str) -> str:
    name = name.removeprefix("./").strip("/").removeprefix(".")
    first, slash, rest = name.partition("/")
    return f"{_MERGED[first]}{slash}{rest}" if first in _MERGED else name


def _entry(name: str, kind: bytes, mode: int, link: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.linkname = kind, mode, link
    return entry


def _data(deb: Path) -> bytes:
    """The member ``data.tar.*`` of a .deb: 8 bytes, then 60-byte headers, bodies padded to even."""
    content = deb.read_bytes()
    place = 8
    while place < len(content):
        header = content[place : place + 60]
        size = int(header[48:58])
        if header.startswith(b"data.tar"):
            return content[place + 60 : place + 60 + size]
        place += 60 + size + size % 2
    raise UserError(f"{deb} is not a Debian package: it has no data.tar; delete it and run again.")
