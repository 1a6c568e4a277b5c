"""The store: one JSON file per trial below ``results/``, written once, atomically, and read strictly.

``placing`` says where each file lies.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from framebench.errors import UserError, named, unreadable
from framebench.records.lookup import Found, find
from framebench.records.manifest_document import Manifest
from framebench.records.placing import (
    MANIFESTS,
    REPRODUCTIONS,
    SELFTESTS,
    manifest_of_signature,
    record_of_sidecar,
    relative_path,
    sidecar_path,
    signature_path,
)
from framebench.records.reading import Fault, read, read_manifest, read_reproduction, read_selftest
from framebench.records.reproduction_document import Reproduction
from framebench.records.selftest_document import SelfTest
from framebench.records.trial_ids import new_trial_id
from framebench.records.writing import (
    MAX_RECORD_BYTES,
    disk_error,
    record_bytes,
    require_writable,
    sidecar_bytes,
    write_file,
)
from framebench.records.zipped import unzipped
from harness import flags
from harness.record import Record, TrialSpec

__all__ = [
    "MANIFESTS",
    "MAX_RECORD_BYTES",
    "REPRODUCTIONS",
    "SELFTESTS",
    "Broken",
    "Found",
    "Loaded",
    "find",
    "json_schema",
    "load",
    "new_trial_id",
    "relative_path",
    "require_writable",
    "write",
    "write_manifest",
    "write_reproduction",
    "write_selftest",
]


DOCUMENTS = (".json", ".json.gz", ".json.sig", ".tmp")


class Broken(NamedTuple):
    """A file that cannot be used: ``reason`` is one clause naming the field and the mend."""

    path: Path
    reason: str

    def __str__(self) -> str:
        return f"{named(self.path)}: {self.reason}"


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
    selftests: list[tuple[Path, SelfTest]] = field(default_factory=list)
    manifests: list[tuple[Path, Manifest]] = field(default_factory=list)

    @property
    def every_trial(self) -> list[tuple[Path, Record]]:
        """Those of results and those of reproductions."""
        return [*self.records, *self.reproduction_trials]

    @property
    def faults(self) -> list[Broken]:
        """Every file that cannot be used, sorted by path."""
        return sorted([*self.broken, *self.leftovers])


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
            write_file(sidecar_path(path), sidecar_bytes(record))
            record = msgspec.structs.replace(
                record, sidecar=msgspec.structs.replace(record.sidecar, inline=None)
            )
        write_file(path, record_bytes(record))
    except OSError as error:
        raise disk_error(path, error) from error
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


def write_manifest(manifest: Manifest, signature: bytes | None, results: Path) -> Path:
    """Store a manifest and its signature atomically below ``results/manifests``; returns the manifest's path."""
    path = results / MANIFESTS / manifest.campaign_id / f"{manifest.manifest_id}.json"
    if signature is not None:
        _write_bytes(signature, signature_path(path))
    return _write_document(manifest, path)


def document_bytes(document: Manifest | Reproduction | SelfTest) -> bytes:
    """What is written of a document; a manifest's are what is signed."""
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"


def _write_document(document: Manifest | Reproduction | SelfTest, path: Path) -> Path:
    return _write_bytes(document_bytes(document), path)


def _write_bytes(data: bytes, path: Path) -> Path:
    try:
        write_file(path, data)
    except OSError as error:
        raise disk_error(path, error) from error
    return path


def load(paths: Iterable[Path], published: Path | None = None) -> Loaded:
    """Read records and reproductions from files and, recursively, folders.

    Strict per file and tolerant of files: what cannot be used is in ``broken`` and never stops the rest.
    So is, below the folder ``published``, a record of somebody's own build. ``UserError`` if a path does not exist.
    """
    loaded = Loaded()
    places: dict[str, Path] = {}  # trial id -> first file that has it
    files, loaded.broken = _files(paths)
    for path in sorted(files):
        if named(path) != str(path):
            loaded.broken.append(Broken(path, "its name has bytes or characters that are no text; rename it"))
        elif path.name.endswith(".tmp"):
            loaded.leftovers.append(Broken(path, "left over from an interrupted write; delete it"))
        elif path.name.endswith(".sidecar.json.gz"):
            if not record_of_sidecar(path).exists():
                loaded.leftovers.append(Broken(path, "a sidecar without its record; delete it"))
        elif path.name.endswith(".json.sig"):
            if not manifest_of_signature(path).exists():
                loaded.leftovers.append(Broken(path, "a signature without its manifest; delete it"))
        elif path.suffix == ".json":
            try:
                if path.parent.parent.name == REPRODUCTIONS:
                    loaded.reproductions.append((path, read_reproduction(path)))
                    continue
                if path.parent.parent.name == SELFTESTS:
                    loaded.selftests.append((path, read_selftest(path)))
                    continue
                if path.parent.parent.name == MANIFESTS:
                    loaded.manifests.append((path, read_manifest(path)))
                    continue
                record = read(path)
                reason = never_published(record)
                if reason and published and path.resolve().is_relative_to(published.resolve()):
                    raise Fault(f"{reason}; move it to another folder")
                first = places.setdefault(record.trial_id, path)
                if first != path:
                    raise Fault(f"trial_id {record.trial_id} is also in {first}; delete one of the two")
                # results/reproductions/<result-id>/trials/<host>/<workload>/<case>/<contender>/<trial>.json
                again = path.parts[-8:-5:2] == (REPRODUCTIONS, "trials")
                (loaded.reproduction_trials if again else loaded.records).append((path, record))
            except Fault as fault:
                loaded.broken.append(Broken(path, str(fault)))
    return loaded


def never_published(record: Record) -> str | None:
    """Why a record may not be among those that are published, whoever measured it; null if it may."""
    if record.image.own_builds:
        build = record.image.own_builds[0]
        return f"image.own_builds: measured with {build}, somebody's own build, which is never published"
    if record.hardware and flags.stand_in(record.hardware):
        return (
            "hardware.gpus: a driver that stands in for one, as the tests have, and no card of NVIDIA's: what it says "
            "was measured nowhere and is never published"
        )
    return None


def json_schema() -> dict[str, Any]:
    """JSON Schemas (2020-12) of the documents: ``record``, ``trial-spec``, ``reproduction``, ``selftest``,
    ``manifest``."""
    documents = {
        "record": Record,
        "trial-spec": TrialSpec,
        "reproduction": Reproduction,
        "selftest": SelfTest,
        "manifest": Manifest,
    }
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return {name: dialect | msgspec.json.schema(document) for name, document in documents.items()}


def series(record_path: Path) -> dict[str, Any]:
    """What the sidecar of a stored record holds; empty where it is not at hand or not readable."""
    try:
        held = msgspec.json.decode(unzipped(sidecar_path(record_path).read_bytes()))
    except (OSError, ValueError, msgspec.DecodeError, RecursionError):
        return {}
    return held if isinstance(held, dict) else {}


def sidecar_of(record_path: Path) -> Path | None:
    """The sidecar of a stored record, if it is at hand."""
    path = sidecar_path(record_path)
    return path if path.is_file() else None


def refuse_empty(paths: Iterable[Path]) -> None:
    """``UserError`` for a path with nothing at or below it that ``load`` would read."""
    for path in paths:
        files, broken = _files([path])
        if not broken and not any(
            file.name.endswith(DOCUMENTS) or named(file) != str(file) for file in files
        ):
            raise UserError(
                f"{named(path)}: holds no record, and their names end in .json; name a record or a folder of records"
            )


def _files(paths: Iterable[Path]) -> tuple[set[Path], list[Broken]]:
    """Every file at or below the paths, and the folders that cannot be read."""
    files: set[Path] = set()
    closed: list[OSError] = []
    for path in paths:
        if path.is_dir():
            walk = os.walk(path, onerror=closed.append)
            files.update(Path(folder, name) for folder, _, names in walk for name in names)
        elif path.exists():
            files.add(path)
        else:
            raise UserError(f"{named(path)}: no such file or folder; name a record or a folder of records")
    return files, [Broken(Path(error.filename), unreadable(error)) for error in closed]
