"""The store: one JSON file per trial below ``results/``, written once, atomically, and read strictly.

``<host>/<workload>/<case slug>/<contender slug>--<where>/<trial-id>.json``, where ``where`` is the image's
name for a container, ``venv-<image>`` for a virtual environment and ``system`` for this interpreter, so
that results made in a container never share a folder with others. The sidecar (time series) lies beside
its record. Reproductions lie in ``reproductions/<result-id>/<reproduction-id>.json``, their trials in
``reproductions/<result-id>/trials/`` below the same five names. What self-tests found lies in
``selftests/<host>/<selftest-id>.json``.
"""

from __future__ import annotations

import base64
import binascii
import difflib
import hashlib
import os
import re
import secrets
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from framebench.errors import UserError
from framebench.records.identity import result_id
from framebench.records.reproduction_document import Reproduction, decode_reproduction
from framebench.records.selftest_document import SelfTest, decode_selftest
from harness.record import Record, TrialSpec, decode_record

MAX_RECORD_BYTES = 8 * 1024
REPRODUCTIONS = "reproductions"
SELFTESTS = "selftests"
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: sorts like the number it writes
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_last_id = 0
_id_lock = threading.Lock()


class Broken(NamedTuple):
    """A file that cannot be used: ``reason`` is one clause naming the field and the mend."""

    path: Path
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


@dataclass
class Loaded:
    """Everything found, sorted by path.

    ``leftovers`` are remains of an interrupted write. ``reproduction_trials`` were measured to check a
    result and are no part of it: they may come from the same host and image and have the same result id.
    """

    records: list[tuple[Path, Record]] = field(default_factory=list)
    broken: list[Broken] = field(default_factory=list)
    reproductions: list[tuple[Path, Reproduction]] = field(default_factory=list)
    reproduction_trials: list[tuple[Path, Record]] = field(default_factory=list)
    leftovers: list[Broken] = field(default_factory=list)
    selftests: list[SelfTest] = field(default_factory=list)


class Found(NamedTuple):
    """What an id means: a result, or one trial of it (``trial`` is its path and record)."""

    result_id: str
    trial: tuple[Path, Record] | None = None


def new_trial_id() -> str:
    """26 lower-case characters: 48 bits of milliseconds, then 80 random bits (a ULID).

    Ids sort by time, also within one process and millisecond; two machines never collide (2^-80).
    """
    global _last_id
    with _id_lock:
        number = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
        if number <= _last_id:  # same millisecond, or the clock was set back
            number = _last_id + 1 + secrets.randbits(32)
        _last_id = number
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))


def relative_path(record: Record) -> Path:
    """Where the record belongs below ``results``. ``UserError`` if a part is no safe folder name."""
    parts = [part for _, part in _parts(record)]
    return Path(*parts[:-1], f"{parts[-1]}.json")


def write(record: Record, results: Path) -> Path:
    """Store a record (and its sidecar) atomically; returns the record's path.

    The sidecar's inline bytes go to ``<trial-id>.sidecar.json.gz`` first, so that a record never lacks it.
    ``UserError`` if the trial is already stored, a sidecar does not match its hash, or the disk refuses.
    """
    path = results / relative_path(record)
    if path.exists():
        raise UserError(
            f"{path}: trial {record.trial_id} is already stored and records are never overwritten"
        )
    try:
        if record.sidecar is not None and record.sidecar.inline is not None:
            _write_file(_sidecar_path(path), _sidecar_bytes(record))
            record = msgspec.structs.replace(
                record, sidecar=msgspec.structs.replace(record.sidecar, inline=None)
            )
        _write_file(path, _record_bytes(record))
    except OSError as error:
        raise _disk_error(path, error) from error
    return path


def write_reproduction(reproduction: Reproduction, results: Path) -> Path:
    """Store a reproduction atomically below ``results/reproductions``; returns its path."""
    name = f"{reproduction.reproduction_id}.json"
    path = results / REPRODUCTIONS / reproduction.result_id / name
    if path.exists():
        raise UserError(f"{path}: this reproduction is already stored and is never overwritten")
    return _write_document(reproduction, path)


def write_selftest(selftest: SelfTest, results: Path) -> Path:
    """Store what a self-test found, atomically, below ``results/selftests``; returns its path."""
    path = results / SELFTESTS / selftest.host_id / f"{selftest.selftest_id}.json"
    return _write_document(selftest, path)


def _write_document(document: Reproduction | SelfTest, path: Path) -> Path:
    try:
        _write_file(path, msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n")
    except OSError as error:
        raise _disk_error(path, error) from error
    return path


def load(paths: Iterable[Path]) -> Loaded:
    """Read records and reproductions from files and, recursively, folders.

    Strict per file and tolerant of files: what cannot be used is in ``broken`` and never stops the rest.
    ``UserError`` if a path does not exist.
    """
    loaded = Loaded()
    places: dict[str, Path] = {}  # trial id -> first file that has it
    for path in sorted(_files(paths)):
        if path.name.endswith(".tmp"):
            loaded.leftovers.append(Broken(path, "left over from an interrupted write; delete it"))
        elif path.name.endswith(".sidecar.json.gz"):
            if not _record_of_sidecar(path).exists():
                loaded.leftovers.append(Broken(path, "a sidecar without its record; delete it"))
        elif path.suffix == ".json":
            try:
                if path.parent.parent.name == REPRODUCTIONS:
                    loaded.reproductions.append((path, _read_reproduction(path)))
                    continue
                if path.parent.parent.name == SELFTESTS:
                    loaded.selftests.append(_read_selftest(path))
                    continue
                record = _read(path)
                first = places.setdefault(record.trial_id, path)
                if first != path:
                    raise _Fault(f"trial_id {record.trial_id} is also in {first}; delete one of the two")
                # results/reproductions/<result-id>/trials/<host>/<workload>/<case>/<contender>/<trial>.json
                again = path.parts[-8:-5:2] == (REPRODUCTIONS, "trials")
                (loaded.reproduction_trials if again else loaded.records).append((path, record))
            except _Fault as fault:
                loaded.broken.append(Broken(path, str(fault)))
    return loaded


def check(paths: Iterable[Path]) -> list[str]:
    """One line per fault in the files below ``paths``; empty when all is well."""
    loaded = load(paths)
    too_large = [
        Broken(
            path, f"{path.stat().st_size} bytes, a record has at most {MAX_RECORD_BYTES} without its sidecar"
        )
        for path, _ in (*loaded.records, *loaded.reproduction_trials)
        if path.stat().st_size > MAX_RECORD_BYTES
    ]
    return [str(fault) for fault in sorted([*loaded.broken, *loaded.leftovers, *too_large])]


def find(records: Sequence[tuple[Path, Record]], text: str) -> Found:
    """The result or trial that an id or a unique prefix of one names; ``UserError`` otherwise."""
    wanted = text.strip().lower()
    results = {result_id(record): None for _, record in records}
    trials = {record.trial_id: (path, record) for path, record in records}
    if wanted in results:
        return Found(wanted)
    matches = sorted(name for name in (*results, *trials) if wanted and name.startswith(wanted))
    if len(matches) == 1 or wanted in trials:
        name = wanted if wanted in trials else matches[0]
        if name in results:
            return Found(name)
        return Found(result_id(trials[name][1]), trials[name])
    if matches:
        raise UserError(
            f"id {text!r} is ambiguous: {_some(matches)} begin with it; give more of its characters"
        )
    nearest = difflib.get_close_matches(wanted, [*results, *trials], n=3, cutoff=0.4)
    hint = (
        f"the nearest are {_some(nearest)}" if nearest else f"the known results are {_some(sorted(results))}"
    )
    if not records:
        hint = "there are no results yet; run `framebench run` first"
    raise UserError(f"no result or trial has the id {text!r}; {hint}")


def json_schema() -> dict[str, Any]:
    """JSON Schemas (2020-12) of the documents: ``record``, ``trial-spec``, ``reproduction``, ``selftest``."""
    documents = {
        "record": Record,
        "trial-spec": TrialSpec,
        "reproduction": Reproduction,
        "selftest": SelfTest,
    }
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return {name: dialect | msgspec.json.schema(document) for name, document in documents.items()}


# --- paths ---------------------------------------------------------------------------------------


def _parts(record: Record) -> list[tuple[str, str]]:
    """``(field, folder or file name)`` of each part of a record's path below ``results``."""
    executor, image = record.provenance.executor, record.image.name
    if executor == "system" or image is None:
        where: str = executor
    else:
        where = image if executor == "docker" else f"{executor}-{image}"
    parts = [
        ("provenance.host_id", record.provenance.host_id),
        ("case.workload", record.case.workload),
        ("case", record.case.slug),
        ("contender and image", f"{record.contender.slug}--{where}"),
        ("trial_id", record.trial_id),
    ]
    for name, part in parts:
        if not _NAME.fullmatch(part) or part in (REPRODUCTIONS, SELFTESTS):
            raise UserError(
                f"record {record.trial_id}: {name} is {part!r}, which cannot name a folder;"
                " use letters, digits, '.', '_' and '-'"
            )
    return parts


def _sidecar_path(record_path: Path) -> Path:
    return record_path.with_suffix(".sidecar.json.gz")


def _record_of_sidecar(path: Path) -> Path:
    return path.with_name(path.name.removesuffix(".sidecar.json.gz") + ".json")


def _files(paths: Iterable[Path]) -> set[Path]:
    found: set[Path] = set()
    for path in paths:
        if path.is_dir():
            found.update(Path(folder, name) for folder, _, names in os.walk(path) for name in names)
        elif path.exists():
            found.add(path)
        else:
            raise UserError(f"{path}: no such file or folder; name a record or a folder of records")
    return found


# --- reading -------------------------------------------------------------------------------------


class _Fault(Exception):
    """Why one file cannot be used."""


def _read(path: Path) -> Record:
    record: Record = _decode(path, decode_record)
    # The last five parts of the path repeat what the record says; a record elsewhere was moved or edited.
    try:
        expected = _parts(record)
    except UserError as error:
        raise _Fault(str(error)) from error
    actual = ("", "", "", "", *path.absolute().parts[:-1], path.stem)[-5:]
    for (name, part), folder in zip(expected, actual, strict=True):
        if part != folder:
            raise _Fault(
                f"{name} says {part!r}, the path says {folder!r}; move it to {relative_path(record)}"
            )
    if record.sidecar is not None:
        sidecar = _sidecar_path(path)
        if not sidecar.exists():
            raise _Fault(f"sidecar: {sidecar.name} is missing; restore it, or delete the record too")
        if hashlib.sha256(sidecar.read_bytes()).hexdigest() != record.sidecar.sha256:
            raise _Fault(f"sidecar.sha256: {sidecar.name} has another hash; restore it, or delete both")
    return record


def _read_reproduction(path: Path) -> Reproduction:
    reproduction: Reproduction = _decode(path, decode_reproduction)
    _check_place(path, result_id=reproduction.result_id, reproduction_id=reproduction.reproduction_id)
    return reproduction


def _read_selftest(path: Path) -> SelfTest:
    selftest: SelfTest = _decode(path, decode_selftest)
    _check_place(path, host_id=selftest.host_id, selftest_id=selftest.selftest_id)
    return selftest


def _check_place(path: Path, **names: str) -> None:
    """The two names in the document are the folder and the file that it lies in."""
    for (name, value), part in zip(names.items(), (path.parent.name, path.stem), strict=True):
        if value != part:
            raise _Fault(f"{name} says {value!r}, the path says {part!r}; move it")


def _decode(path: Path, decode: Any) -> Any:
    try:
        return decode(path.read_bytes())
    except msgspec.ValidationError as error:
        newer = "_version is" in str(error)
        mend = "update framebench" if newer else "records are never edited; restore the file or delete it"
        raise _Fault(f"{error}; {mend}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        detail = str(error).rstrip(".")
        raise _Fault(f"not a whole JSON document ({detail}); restore the file or delete it") from error
    except OSError as error:
        raise _Fault(f"cannot be read ({error.strerror}); check its permissions") from error


# --- writing -------------------------------------------------------------------------------------


def _record_bytes(record: Record) -> bytes:
    """Indented JSON for readers and diffs; compact where that would pass the limit.

    A crashed trial's stderr is the only part whose length is unbounded: its oldest lines give way.
    """
    while True:
        compact = msgspec.json.encode(record)
        pretty = msgspec.json.format(compact, indent=1) + b"\n"
        if len(pretty) <= MAX_RECORD_BYTES:
            return pretty
        tail = record.outcome.stderr_tail
        if len(compact) < MAX_RECORD_BYTES or not tail:
            return compact + b"\n"
        shorter = tail[1:] if len(tail) > 1 else ([tail[0][-1000:]] if len(tail[0]) > 1000 else [])
        outcome = msgspec.structs.replace(record.outcome, stderr_tail=shorter)
        record = msgspec.structs.replace(record, outcome=outcome)


def _sidecar_bytes(record: Record) -> bytes:
    assert record.sidecar is not None and record.sidecar.inline is not None
    try:
        data = base64.b64decode(record.sidecar.inline, validate=True)
    except binascii.Error as error:
        raise UserError(
            f"trial {record.trial_id}: sidecar.inline is not base64; run the trial again"
        ) from error
    if hashlib.sha256(data).hexdigest() != record.sidecar.sha256:
        raise UserError(
            f"trial {record.trial_id}: sidecar.sha256 does not match its bytes; run the trial again"
        )
    return data


def _write_file(path: Path, data: bytes) -> None:
    """Write under a temporary name, fsync, rename, fsync the folder: whole or not there at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _disk_error(path: Path, error: OSError) -> UserError:
    return UserError(f"{path}: cannot be written ({error.strerror}); free space or check the permissions")


def _some(names: Sequence[str], limit: int = 5) -> str:
    shown = ", ".join(names[:limit])
    return f"{shown} and {len(names) - limit} more" if len(names) > limit else shown
