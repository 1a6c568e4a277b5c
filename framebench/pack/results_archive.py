"""The archive of records that a pack leaves: a gzipped tar of what lies below ``results/``, and nothing else.

Whoever unpacks one trusts nothing in it: names, kinds, sizes and every record are checked before anything is stored.
"""

from __future__ import annotations

import gzip
import io
import re
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from framebench.errors import UserError
from framebench.records import store
from framebench.records.placing import REPRODUCTIONS, SELFTESTS, sidecar_path
from framebench.records.writing import MAX_RECORD_BYTES, disk_error, write_file
from framebench.records.zipped import ZIPPED_BYTES, unzipped

MOST_FILES = 50_000
MOST_BYTES = 256 << 20
"""Of the whole tar; a repository's results are below 50 MB."""
_PLACE = re.compile(
    r"(?:[A-Za-z0-9_][A-Za-z0-9._-]*/){4}[A-Za-z0-9_][A-Za-z0-9._-]*(?:\.sidecar\.json\.gz|\.json)"
)


class Unpacked(NamedTuple):
    stored: int  # records
    there_already: int


def write_archive(folder: Path, target: Path) -> int:
    """Write every sound record below ``folder``, with its sidecar, as ``target``: whole or not at all; how many.

    Nothing is written where there is none.
    """
    paths = [path for path, _ in store.load([folder]).records]
    if not paths:
        return 0
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as tar,
    ):
        for path in paths:
            for one in (sidecar_path(path), path):
                if one.exists():
                    entry = tarfile.TarInfo(one.relative_to(folder).as_posix())
                    data = one.read_bytes()
                    entry.size = len(data)
                    tar.addfile(entry, io.BytesIO(data))
    try:
        write_file(target, packed.getvalue())
    except OSError as error:
        raise disk_error(target, error) from error
    return len(paths)


def unpack(archive: Path, results: Path) -> Unpacked:
    """Check an archive and store its records below ``results``: all of them, or none.

    Raises
    ------
    UserError
        with the first fault: no archive of records, a record that is not sound, or another one in its place.
    """
    with tempfile.TemporaryDirectory(prefix="framebench-unpack-") as name:
        folder = Path(name)
        _extract(archive, folder)
        loaded = store.load([folder], published=folder)
        if faults := list(map(str, loaded.faults)):
            more = f", and {len(faults) - 1} more faults" if len(faults) > 1 else ""
            raise UserError(
                f"{archive}: {faults[0].removeprefix(f'{folder}/')}{more}; nothing was stored,"
                " ask for an archive as the pack wrote it."
            )
        placed = {path.name: path for path in results.rglob("*.json")}
        fresh = [path for path, _ in loaded.records if not _is_there(path, folder, results, placed)]
        for path in fresh:
            for one in (sidecar_path(path), path):
                if one.exists():
                    _store(one, results / one.relative_to(folder))
        there = sum(1 for _ in folder.rglob("*.json")) - len(fresh)
    return Unpacked(len(fresh), there)


def _is_there(path: Path, folder: Path, results: Path, placed: dict[str, Path]) -> bool:
    """``UserError`` where another record has the trial's name."""
    place = placed.get(path.name)
    if place is None:
        return False
    if place == results / path.relative_to(folder) and place.read_bytes() == path.read_bytes():
        return True
    raise UserError(
        f"{place}: another record of trial {path.stem} is there already; nothing was stored, keep one."
    )


def _store(path: Path, target: Path) -> None:
    try:
        write_file(target, path.read_bytes())
    except OSError as error:
        raise disk_error(target, error) from error


def _extract(archive: Path, folder: Path) -> None:
    try:
        with (
            gzip.open(archive) as zipped,
            tarfile.open(fileobj=_Bounded(archive, zipped), mode="r|") as tar,
        ):
            for number, (entry, data) in enumerate(_entries(archive, tar)):
                if number == MOST_FILES:
                    raise UserError(f"{archive}: more than {MOST_FILES} files are no archive of records.")
                path = folder / entry
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
    except FileNotFoundError:
        raise UserError(f"{archive} does not exist; name the archive that a pack left.") from None
    except (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise UserError(f"{archive} is no whole gzipped tar ({error}); copy it again.") from None


def _entries(archive: Path, tar: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file. ``UserError`` for whatever is no record and no record's sidecar."""
    seen: set[str] = set()
    for entry in tar:
        name, sidecar = entry.name, entry.name.endswith(".sidecar.json.gz")
        limit = ZIPPED_BYTES if sidecar else MAX_RECORD_BYTES
        wrong = None
        if entry.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or entry.issparse():
            wrong = "is no plain file"
        elif not _PLACE.fullmatch(name) or {REPRODUCTIONS, SELFTESTS} & {*name.split("/")}:
            wrong = "is no place of a record (HOST/WORKLOAD/CASE/CONTENDER/TRIAL.json)"
        elif name in seen:
            wrong = "is in it twice"
        elif entry.size > limit:
            wrong = f"has {entry.size} bytes, and at most {limit} are allowed"
        if wrong:
            raise UserError(f"{archive}: {name!r} {wrong}; nothing was stored.")
        seen.add(name)
        held = tar.extractfile(entry)
        data = held.read() if held else b""
        if sidecar:
            try:
                unzipped(data)
            except ValueError as error:
                raise UserError(f"{archive}: {name!r} {error}; nothing was stored.") from None
        yield name, data


class _Bounded(io.RawIOBase):
    """The unzipped bytes, up to ``MOST_BYTES``: what claims to be longer is refused before it is in memory."""

    def __init__(self, archive: Path, zipped: gzip.GzipFile) -> None:
        self._archive, self._zipped, self._left = archive, zipped, MOST_BYTES

    def read(self, size: int = -1) -> bytes:
        data = self._zipped.read(size if 0 <= size <= self._left else self._left + 1)
        self._left -= len(data)
        if self._left < 0:
            raise UserError(f"{self._archive} holds more than {MOST_BYTES >> 20} MiB; nothing was stored.")
        return data
