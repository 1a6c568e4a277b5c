"""Where a record comes from: the git checkout, whether what is measured differs from it, and the machine.

An unpacked pack has no git, and may lie in somebody's checkout of something else: what it says of itself counts.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple

from framebench.records.pack_document import is_changed, read_pack_document

# Results, pages and build products change while measuring; they do not change what is measured.
_MEASURED = ["harness", "containers", "framebench", "suites"]
# Written by `build --check` and `push`: what was found of images, and no part of them.
_FOUND = [f":(exclude)containers/{name}.json" for name in ("licences", "published", "rebuilds")]


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True, timeout=60
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def commit(root: Path) -> str | None:
    """Full hash of HEAD; null outside a git checkout."""
    if (packed := read_pack_document(root)) is not None:
        return packed.git_commit
    return _git(root, "rev-parse", "HEAD")


def dirty(root: Path) -> bool | None:
    """True when a file that decides a measurement differs from HEAD or is untracked; null outside git."""
    if (packed := read_pack_document(root)) is not None:
        return True if is_changed(root, packed) else packed.dirty
    status = _git(root, "status", "--porcelain", "--", *_MEASURED, *_FOUND)
    return None if status is None else bool(status)


class Checkout(NamedTuple):
    """Where a campaign's harness comes from and whom its trials belong to."""

    root: Path
    commit: str | None
    dirty: bool | None
    harness_tree: str
    host_id: str

    @classmethod
    def of(cls, root: Path, harness_tree: str, host_id: str) -> Checkout:
        """The checkout at ``root``, whose ``harness/`` has this hash, on this host."""
        return cls(root, commit(root), dirty(root), harness_tree, host_id)
