"""The index: what was decoded of every record of a folder, so that the next command decodes what is new.

It is made from the records and from nothing else, and may be deleted at any time: whatever it does not have, or has of
another file, is read from the record. With it or without it a command sees the same.

What is trusted: a record whose size, time of change, inode and *change time of the inode* are those of the file that
was decoded, with a sidecar of which the same holds. A program can set a file's time back, the inode's it cannot: a
record edited in place is noticed with its size and time as before. A file that had changed within ``SETTLED_NS`` before
it was looked at is not trusted by its times, because two changes may share a tick of the clock. Where the times do not
say that the file is the same (a new clone, a copy), its content does: reading and hashing it is several times cheaper
than decoding. ``framebench check`` and ``submit`` trust nothing of this and read every record.

It is one file: a hash of the rest, then msgpack. It is written whole under another name and renamed, so readers and
writers need no lock; where it cannot be written, the next command decodes again.
"""

from __future__ import annotations

import functools
import hashlib
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from framebench.records.kept import LEFT, Source, digest_of, kept, lean
from framebench.records.listing import Folder
from framebench.records.placing import sidecar_name
from framebench.records.reading import content_of, decoded, read, require_sidecar
from framebench.records.trial_figures import figures_of
from framebench.records.writing import write_file
from harness import flags, record
from harness.record import Record

WORTH_IT = 1_000
"""Records from which on an index is made unasked: fewer are decoded in a tenth of a second."""

SETTLED_NS = 2_000_000_000

SHARED = (
    "case",
    "contender",
    "protocol",
    "image",
    "provenance",
    "outcome",
    "software",
    "hardware",
    "settings",
    "kernels",
    "flags",
    "cluster_job",
)
"""Fields of a record that many have in common: each value is there once, in the file and in memory."""

_TYPES = {field.name: field.type for field in msgspec.structs.fields(Record)}
_OWN = [name for name in _TYPES if name not in (*SHARED, *LEFT)]
if TYPE_CHECKING:
    _Own = Any
else:
    _Own = msgspec.defstruct("_Own", [(name, _TYPES[name]) for name in _OWN], array_like=True, gc=False)

Times = tuple[int, int, int, int]
"""Size in bytes, time of change and change time of the inode in ns, inode."""


class _Row(msgspec.Struct, array_like=True, gc=False):
    """One record. ``times`` are null where they are not to be trusted, ``sidecar`` too where there is none; ``shared``
    has, for each of ``SHARED``, the number of its value."""

    name: str
    times: Times | None
    sidecar: Times | None
    digest: bytes
    shared: list[int]
    own: _Own
    figures: list[Any]


class _Document(msgspec.Struct, array_like=True):
    """Values of each shared field by number, and the rows of each folder, encoded by themselves."""

    made_by: str
    shared: dict[str, list[msgspec.Raw]]
    folders: dict[bytes, msgspec.Raw]


_rows = msgspec.msgpack.Decoder(list[_Row])
_encode = msgspec.msgpack.Encoder().encode


class Values:
    """The values of one shared field, each once."""

    def __init__(self, name: str, encoded: list[msgspec.Raw]) -> None:
        self.encoded = encoded
        self._decode = msgspec.msgpack.Decoder(_TYPES[name]).decode
        self._values: dict[int, Any] = {}

    def __getitem__(self, number: int) -> Any:
        found = self._values.get(number)
        if found is None and number not in self._values:
            found = self._values[number] = self._decode(self.encoded[number])
        return found

    def number(self, value: Any) -> int:
        """That of a value, which is added where it is new."""
        raw = _encode(value)
        if raw not in self._numbers:
            self._numbers[raw] = len(self.encoded)
            self.encoded.append(msgspec.Raw(raw))
        return self._numbers[raw]

    @functools.cached_property
    def _numbers(self) -> dict[bytes, int]:
        return {bytes(raw): number for number, raw in enumerate(self.encoded)}


class Index:
    """The index of the records below ``folder``, kept in a file below ``indexes``.

    Whoever reads the folder asks ``within`` for each folder in it, and ``save``s afterwards. ``decoded`` and ``known``
    count the records that had to be decoded and those that were known.
    """

    def __init__(self, indexes: Path, folder: Path) -> None:
        self.folder = folder
        name = hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()[:12]
        self.file = indexes / f"{folder.absolute().name}-{name}.msgpack"
        self.decoded = self.known = 0
        self._now = time.time_ns()
        document = self._read()
        self._before = document.folders
        self._after: dict[bytes, msgspec.Raw] = {}
        self._changed = False
        self._values = {name: Values(name, document.shared.get(name, [])) for name in SHARED}

    def within(self, folder: Folder) -> Known:
        """The records of one folder."""
        return Known(self, folder)

    def save(self, small: bool = False) -> None:
        """Write what is new; too few records are worth it only where ``small``, or where there is an index already.
        ``OSError`` where it cannot be written."""
        worth_it = small or self._before or self.known + self.decoded >= WORTH_IT
        changed = self._changed or self._after.keys() != self._before.keys()
        if not worth_it or not (changed or (small and not self.file.exists())):
            return
        shared = {name: values.encoded for name, values in self._values.items()}
        data = _encode(_Document(made_by(), shared, self._after))
        write_file(self.file, digest_of(data) + data)
        self._before, self._changed = self._after, False

    def _read(self) -> _Document:
        """What the file holds; nothing where it is not there, was damaged or is another version's."""
        try:
            data = memoryview(self.file.read_bytes())
            if digest_of(data[16:]) == data[:16]:
                document = msgspec.msgpack.decode(data[16:], type=_Document)
                if document.made_by == made_by():
                    return document
        except (OSError, msgspec.DecodeError):
            pass
        return _Document("", {}, {})


class Known:
    """What the index has of one folder; ``close`` once all its records have been asked for."""

    def __init__(self, index: Index, folder: Folder) -> None:
        self._index, self._folder = index, folder
        self._name = os.fsencode(folder.path.relative_to(folder.below))
        self._raw = index._before.get(self._name)
        self._rows = {row.name: row for row in _rows.decode(self._raw)} if self._raw is not None else {}
        self._kept: list[_Row] = []
        self._changed = False

    def record(self, path: Path) -> Record:
        """The record in a file of the folder; ``Fault`` as ``reading.read``. One that holds what msgpack has no place
        for, a number of a hundred digits, is a whole one, decoded every time."""
        index, name = self._index, path.name
        times, beside = self._times(name), self._times(sidecar_name(name))
        row = self._rows.get(name)
        if row is not None and _trusted(row, times, beside):
            index.known += 1
        else:
            try:
                row = self._looked_at(path, row, times, beside)
            except OverflowError:
                return read(path)
        self._kept.append(row)
        fields = msgspec.structs.asdict(row.own)
        for (field, values), number in zip(index._values.items(), row.shared, strict=True):
            fields[field] = values[number]
        return kept(fields, row.figures, Source(path, row.digest))

    def close(self) -> None:
        """Keep what was asked for."""
        if not self._kept:
            return
        if self._raw is not None and not self._changed and len(self._kept) == len(self._rows):
            self._index._after[self._name] = self._raw
        else:
            self._index._after[self._name] = msgspec.Raw(_encode(self._kept))
            self._index._changed = True

    def _times(self, name: str) -> Times | None:
        """Null for what is not there, or has changed too lately."""
        entry = self._folder.files.get(name)
        if entry is None:
            return None
        try:
            found = entry.stat()
        except OSError:
            return None
        if found.st_ctime_ns > self._index._now - SETTLED_NS:
            return None
        return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino

    def _looked_at(self, path: Path, row: _Row | None, times: Times | None, beside: Times | None) -> _Row:
        """By its content: the row that is there, with its times of now, or a new one."""
        content = content_of(path)
        digest = digest_of(content)
        if row is not None and row.digest == digest:
            require_sidecar(path, row.own.sidecar)
            self._index.known += 1
            if (row.times, row.sidecar) != (times, beside):
                row, self._changed = msgspec.structs.replace(row, times=times, sidecar=beside), True
            return row
        found = decoded(path, content)
        self._index.decoded += 1
        slim = lean(found)
        row = _Row(
            name=path.name,
            times=times,
            sidecar=beside,
            digest=digest,
            shared=[self._index._values[name].number(getattr(slim, name)) for name in SHARED],
            own=_Own(*(getattr(slim, name) for name in _OWN)),
            figures=figures_of(found),
        )
        self._changed = True
        return row


def _trusted(row: _Row, times: Times | None, beside: Times | None) -> bool:
    """Whether the times say that the record is the one that was decoded, with the sidecar that it names."""
    if times is None or row.times != times:
        return False
    return row.own.sidecar is None or (beside is not None and row.sidecar == beside)


def of(root: Path, results: Path) -> Index:
    """The index of a folder of results, among the build products of the checkout ``root``."""
    return Index(root / "build" / "index", results)


@functools.cache
def made_by() -> str:
    """Of the code that decides what an index holds: another one's is made anew."""
    hashed = hashlib.sha256(f"{sys.version_info[:2]} {msgspec.__version__}".encode())
    for path in _code():
        hashed.update(path.read_bytes())
    return hashed.hexdigest()


def _code() -> list[Path]:
    return [Path(record.__file__), Path(flags.__file__), *sorted(Path(__file__).parent.glob("*.py"))]
