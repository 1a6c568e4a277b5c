"""Folders by paths that every tool takes: compilers split their command lines at spaces, shells at quotes."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from pathlib import Path

from framebench.errors import UserError

_PLAIN = re.compile(r"[A-Za-z0-9/._+@=-]+")


def plain(folder: Path) -> Path:
    """``folder``; where its path has a space, a quote, a colon or a letter beyond ASCII, a link to it without."""
    whole = folder.resolve()
    if _PLAIN.fullmatch(str(whole)):
        return folder
    link = _links() / hashlib.sha256(os.fsencode(whole)).hexdigest()[:16]
    if not link.is_symlink():
        fresh = link.with_name(f"{link.name}-{os.getpid()}")
        fresh.symlink_to(whole)
        fresh.replace(link)
    return link


def scratch_parent() -> str:
    """Where temporary folders go: where the system says, unless its path is not plain."""
    usual = tempfile.gettempdir()
    return usual if _PLAIN.fullmatch(usual) else "/tmp"


def _links() -> Path:
    """A folder that nobody but us can put a link into."""
    folder = Path("/tmp") / f"framebench-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid() or folder.stat().st_mode & 0o022:
        raise UserError(
            f"{folder} belongs to somebody else, or others can write to it: remove it and run again"
        )
    return folder
