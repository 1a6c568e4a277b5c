"""What a pack says of itself: for which machine it was made, and from which commit. It lies in the unpacked tree."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

PACK_DOCUMENT = "pack.json"


class PackedWheel(msgspec.Struct, frozen=True, kw_only=True):
    """One wheel. Trials see it if ``in_trials``. Where the machine has ``machines_module``, its own is taken."""

    name: str
    file: str
    sha256: str
    in_trials: bool
    machines_module: str | None
    needs_numpy: str


class PackDocument(msgspec.Struct, frozen=True, kw_only=True):
    """``files``: SHA-256 of each file of the tree by its name there. ``glibc``: the oldest that all wheels run on."""

    python: str
    machine: str
    glibc: str
    git_commit: str | None
    dirty: bool | None
    suite: str
    wheels: list[PackedWheel]
    files: dict[str, str]


def read_pack_document(root: Path) -> PackDocument | None:
    """Null where ``root`` is no unpacked pack."""
    path = root / PACK_DOCUMENT
    return msgspec.json.decode(path.read_bytes(), type=PackDocument) if path.exists() else None


def pack_id(root: Path) -> str:
    """Twelve characters that only this pack has."""
    return hashlib.sha256((root / PACK_DOCUMENT).read_bytes()).hexdigest()[:12]


def is_changed(root: Path, document: PackDocument) -> bool:
    """Whether a file of the tree is no longer what was packed."""
    return any(
        not (root / name).is_file() or hashlib.sha256((root / name).read_bytes()).hexdigest() != digest
        for name, digest in document.files.items()
    )
