"""One file of the store, written whole or not at all."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import tempfile
from pathlib import Path

import msgspec

from framebench.errors import UserError
from framebench.records.zipped import ZIPPED_BYTES, unzipped
from harness.record import Record

MAX_RECORD_BYTES = 24 * 1024
"""Of a GPU's: a card tells forty figures, and there is room for twice the blocks that a suite may ask for."""
READABLE_BYTES = 8 * 1024
"""Up to which a record is indented, and what a crash's stderr has to stay below; those of a CPU have room in it."""


def record_bytes(record: Record) -> bytes:
    """Indented JSON for readers and diffs; compact where that would be too long.

    A crashed trial's stderr is the only part whose length is unbounded: its oldest lines give way.
    """
    while True:
        compact = msgspec.json.encode(record)
        pretty = msgspec.json.format(compact, indent=1) + b"\n"
        if len(pretty) <= READABLE_BYTES:
            return pretty
        tail = record.outcome.stderr_tail
        if len(compact) < READABLE_BYTES or not tail:
            return compact + b"\n"
        shorter = tail[1:] if len(tail) > 1 else ([tail[0][-1000:]] if len(tail[0]) > 1000 else [])
        outcome = msgspec.structs.replace(record.outcome, stderr_tail=shorter)
        record = msgspec.structs.replace(record, outcome=outcome)


def sidecar_bytes(record: Record) -> bytes:
    """What is to be written beside the record; ``UserError`` where nobody could read it again."""
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
    try:
        unzipped(data)
    except ValueError as error:
        raise UserError(f"trial {record.trial_id}: sidecar.inline {error}; run the trial again") from None
    if len(data) > ZIPPED_BYTES:
        raise UserError(
            f"trial {record.trial_id}: sidecar.inline has {len(data)} bytes, and at most {ZIPPED_BYTES} are kept;"
            " run the trial again"
        )
    return data


def write_file(path: Path, data: bytes) -> None:
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


def require_writable(folder: Path) -> None:
    """``UserError`` where no record could be written below this folder, which is made; asked before anything is
    measured."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(MAX_RECORD_BYTES))
            file.flush()
    except OSError as error:
        raise disk_error(folder, error) from error


def disk_error(path: Path, error: OSError) -> UserError:
    return UserError(f"{path}: cannot be written ({error.strerror}); free space or check the permissions")
