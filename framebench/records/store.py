"""The store: one JSON file per trial below ``results/``, written once, atomically, and read strictly.

``placing`` says where each file lies.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from framebench.errors import UserError
from framebench.records.loading import Broken, Loaded, load
from framebench.records.lookup import Found, find
from framebench.records.manifest_document import Manifest
from framebench.records.placing import (
    MANIFESTS,
    REPRODUCTIONS,
    SELFTESTS,
    relative_path,
    sidecar_path,
    signature_path,
)
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
