"""One file of the store, read strictly: it decodes, and it lies where it says that it belongs."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path
from typing import Any

import msgspec

from framebench.errors import UserError, one_line, quoted, unreadable
from framebench.records.manifest_document import Manifest, decode_manifest
from framebench.records.placing import parts, relative_path, sidecar_path
from framebench.records.reproduction_document import Reproduction, decode_reproduction
from framebench.records.selftest_document import SelfTest, decode_selftest
from framebench.records.versions import decode_record
from framebench.records.zipped import ZIPPED_BYTES
from harness.record import Record

MOST_BYTES = 16 << 20
"""Of one file, before it is read; a manifest of 50,000 files has about as many."""


class Fault(Exception):
    """Why one file cannot be used."""


def read(path: Path) -> Record:
    record: Record = _decode(path, decode_record)
    if record.kind == "profile":
        raise Fault("kind: a profile is no measurement and has no place among records; delete it")
    # The last five parts of the path repeat what the record says; a record elsewhere was moved or edited.
    try:
        expected = parts(record)
    except UserError as error:
        raise Fault(str(error)) from error
    actual = ("", "", "", "", *path.absolute().parts[:-1], path.stem)[-5:]
    for (name, part), folder in zip(expected, actual, strict=True):
        if part != folder:
            raise Fault(
                f"{name} says {quoted(part)}, the path says {quoted(folder)}; move it to {relative_path(record)}"
            )
    if record.sidecar is not None:
        sidecar = sidecar_path(path)
        if not sidecar.exists():
            raise Fault(f"sidecar: {sidecar.name} is missing; restore it, or delete the record too")
        try:
            plain = _is_plain(sidecar, ZIPPED_BYTES)
            digest = hashlib.sha256(sidecar.read_bytes() if plain else b"").hexdigest()
        except OSError as error:
            raise Fault(f"sidecar: {sidecar.name} {unreadable(error)}") from error
        if not plain:
            raise Fault(
                f"sidecar: {sidecar.name} is no plain file of at most {ZIPPED_BYTES >> 20} MiB; restore it, or delete"
                " both"
            )
        if digest != record.sidecar.sha256:
            raise Fault(f"sidecar.sha256: {sidecar.name} has another hash; restore it, or delete both")
    return record


def read_reproduction(path: Path) -> Reproduction:
    reproduction: Reproduction = _decode(path, decode_reproduction)
    _check_place(path, result_id=reproduction.result_id, reproduction_id=reproduction.reproduction_id)
    return reproduction


def read_selftest(path: Path) -> SelfTest:
    selftest: SelfTest = _decode(path, decode_selftest)
    _check_place(path, host_id=selftest.host_id, selftest_id=selftest.selftest_id)
    return selftest


def read_manifest(path: Path) -> Manifest:
    manifest: Manifest = _decode(path, decode_manifest)
    _check_place(path, campaign_id=manifest.campaign_id, manifest_id=manifest.manifest_id)
    return manifest


def _check_place(path: Path, **names: str) -> None:
    """The two names in the document are the folder and the file that it lies in."""
    for (name, value), part in zip(names.items(), (path.parent.name, path.stem), strict=True):
        if value != part:
            raise Fault(f"{name} says {quoted(value)}, the path says {quoted(part)}; move it")


def _is_plain(path: Path, most: int) -> bool:
    """Whether it can be read whole: a device or a pipe may have no end."""
    found = path.stat()
    return stat.S_ISREG(found.st_mode) and found.st_size <= most


def _decode(path: Path, decode: Any) -> Any:
    try:
        if not _is_plain(path, MOST_BYTES):
            raise Fault(f"no plain file of at most {MOST_BYTES >> 20} MiB; delete it")
        return decode(path.read_bytes())
    except msgspec.ValidationError as error:
        newer = "_version is" in str(error)
        mend = "update framebench" if newer else "records are never edited; restore the file or delete it"
        raise Fault(f"{one_line(str(error))}; {mend}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        detail = one_line(str(error).rstrip("."))
        raise Fault(f"not a whole JSON document ({detail}); restore the file or delete it") from error
    except RecursionError:
        raise Fault("lists in lists without end; restore the file or delete it") from None
    except OSError as error:
        raise Fault(unreadable(error)) from error
