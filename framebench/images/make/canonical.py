"""Canonical layers, configs and archives: the same bytes whatever engine, day, user or umask made the input.

What a builder leaves to chance, and what is done about it: order of entries (sorted), times (all set to the
epoch), ``./`` prefixes (dropped), hard links and which name comes first (written as files), files that the
engine or the tools leave behind (dropped), history and builder labels (not copied). The digest of the config
covers the digests of all layers and is the identity of the image.
"""

from __future__ import annotations

import fnmatch
import hashlib
import io
import json
import re
import tarfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

_LEFTOVERS = re.compile(
    "|".join(
        fnmatch.translate(pattern)
        for pattern in (
            # mount targets and files that an engine puts into every container
            *(
                ".dockerenv",
                "etc/hostname",
                "etc/hosts",
                "etc/resolv.conf",
                "dev/*",
                "proc/*",
                "sys/*",
            ),
            # traces of the tools that ran: times, host names, backups, caches
            *("run/*", "tmp/*", "var/tmp/*", "var/log/*", "root/*", "etc/.pwd.lock"),
            *("etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-", "var/lib/dpkg/*-old"),
            *("var/cache/debconf/*-old", "var/cache/ldconfig/*", "var/cache/apt/*"),
            # bytecode holds its source's time; trials keep theirs in the cache volume
            *("__pycache__", "*/__pycache__", "*/__pycache__/*", "__pycache__/*"),
        )
    )
)


class Layer(NamedTuple):
    digest: str  # sha256:<hex> of the uncompressed tar
    path: Path
    size: int  # bytes


class Entry(NamedTuple):
    """A folder (neither content nor link), a file or a symbolic link, owned by root."""

    name: str
    mode: int
    content: bytes | Path | None = None
    link: str | None = None


class _Item(NamedTuple):
    """One entry of a flat file system, and what makes it equal to another (everything but its time)."""

    entry: tarfile.TarInfo
    content: str  # SHA-256, empty for what is not a file

    @property
    def key(self) -> tuple[Any, ...]:
        e = self.entry
        return (
            e.isdir(),
            e.issym(),
            e.mode & 0o7777,
            e.uid,
            e.gid,
            e.linkname if e.issym() else "",
            self.content,
        )


def write_layer(flat: Path, below: Path | None, target: Path, epoch: int) -> str:
    """Write what the file system ``flat`` has beyond the one ``below`` as a canonical layer; its digest.

    Parameters
    ----------
    flat : tar of a whole file system, entries in any order.
    below : canonical layer that lies under the new one, or null for the first layer.
    target : file to write.
    epoch : modification time of every entry, seconds since 1970.
    """
    with tarfile.open(flat) as source:
        items = _read(source)
        if below is not None:
            with tarfile.open(below) as lower:
                items = _difference(items, _read(lower))
        with target.open("wb") as file:
            hashing = _Hashing(file)
            with tarfile.open(fileobj=hashing, mode="w|", format=tarfile.GNU_FORMAT) as out:
                for name in sorted(items):
                    entry = items[name].entry
                    out.addfile(canonical_entry(name, entry, epoch), _content(source, entry))
    return f"sha256:{hashing.sha256.hexdigest()}"


def write_entries(entries: Iterable[Entry], target: Path, epoch: int) -> str:
    """Write files that never were in a container as a canonical layer; its digest."""
    with target.open("wb") as file:
        hashing = _Hashing(file)
        with tarfile.open(fileobj=hashing, mode="w|", format=tarfile.GNU_FORMAT) as out:
            for entry in sorted(entries):
                header = tarfile.TarInfo(entry.name)
                header.mode, header.mtime = entry.mode, epoch
                if entry.link is not None:
                    header.type, header.linkname = tarfile.SYMTYPE, entry.link
                    out.addfile(header)
                elif entry.content is None:
                    header.type = tarfile.DIRTYPE
                    out.addfile(header)
                elif isinstance(entry.content, Path):
                    header.size = entry.content.stat().st_size
                    with entry.content.open("rb") as content:
                        out.addfile(header, content)
                else:
                    header.size = len(entry.content)
                    out.addfile(header, io.BytesIO(entry.content))
    return f"sha256:{hashing.sha256.hexdigest()}"


def canonical_entry(name: str, entry: tarfile.TarInfo, epoch: int) -> tarfile.TarInfo:
    """A fresh header with name, kind, mode, owner and link of ``entry``, and nothing else of it."""
    new = tarfile.TarInfo(name)
    new.type = tarfile.REGTYPE if entry.isreg() or entry.islnk() else entry.type
    new.mode, new.uid, new.gid, new.mtime = entry.mode & 0o7777, entry.uid, entry.gid, epoch
    new.size = entry.size
    new.linkname = entry.linkname if entry.issym() else ""
    return new


def config(layers: Iterable[Layer], run: Mapping[str, Any], epoch: int, arch: str) -> bytes:
    """The image's config: architecture, how to run it (``run``), digests of its layers; no history."""
    document = {
        "architecture": arch,
        "config": dict(run),
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch)),
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in layers]},
    }
    return canonical_json(document)


def canonical_json(document: Any) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _read(tar: tarfile.TarFile) -> dict[str, _Item]:
    """Entries by normal name, without leftovers; a later entry of a name replaces an earlier one."""
    items = {}
    for entry in tar.getmembers():
        name = (
            entry.name.removeprefix(".").strip("/") if entry.name.startswith("./") else entry.name.strip("/")
        )
        if name in ("", ".") or _LEFTOVERS.match(name):
            continue
        if entry.islnk():
            entry.size = tar.getmember(entry.linkname).size
        items[name] = _Item(entry, _sha256(_content(tar, entry)))
    return items


def _content(tar: tarfile.TarFile, entry: tarfile.TarInfo) -> IO[bytes] | None:
    return tar.extractfile(entry) if entry.isreg() or entry.islnk() else None


def _sha256(file: IO[bytes] | None) -> str:
    if file is None:
        return ""
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


def _difference(upper: dict[str, _Item], lower: dict[str, _Item]) -> dict[str, _Item]:
    """What to put on ``lower`` to get ``upper``: new and changed entries, their folders, and whiteouts.

    Folders above a changed entry are always written: an engine that unpacks a layer by itself would
    otherwise invent their modes.
    """
    changed = {name: item for name, item in upper.items() if name not in lower or lower[name].key != item.key}
    for name in sorted(set(lower) - set(upper)):
        folder, _, base = name.rpartition("/")
        if folder == "" or folder in upper:  # else the folder's own whiteout covers it
            path = f"{folder}/.wh.{base}".lstrip("/")
            changed[path] = _Item(tarfile.TarInfo(path), "")
    for name in list(changed):
        while "/" in name:
            name = name.rpartition("/")[0]
            if name in upper:
                changed[name] = upper[name]
    return changed


class _Hashing(io.RawIOBase):
    """Pass bytes on to a file and hash them on the way."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.sha256 = file, hashlib.sha256()

    def write(self, data: Any) -> int:
        self.sha256.update(data)
        return self.file.write(data)
