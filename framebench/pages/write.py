"""The pages on disk: only what changed is written, and what no page needs any more is removed."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path


def write_tree(target: Path, files: Mapping[str, str | bytes | Path]) -> int:
    """Make ``target`` hold exactly ``files`` (path → text, bytes, or a file to copy); the number written.

    Unchanged files keep their time, so that a rebuild is incremental for whoever watches the folder.
    """
    target.mkdir(parents=True, exist_ok=True)
    written = 0
    for name, content in files.items():
        path = target / name
        data = content.encode() if isinstance(content, str) else content
        if isinstance(data, Path):
            source = data.stat()
            if path.is_file() and (path.stat().st_size, path.stat().st_mtime_ns) == (
                source.st_size,
                source.st_mtime_ns,
            ):
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(data, path)
        else:
            if path.is_file() and path.read_bytes() == data:
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        written += 1
    _remove_others(target, {target / name for name in files})
    return written


def _remove_others(target: Path, keep: set[Path]) -> None:
    for path in sorted(target.rglob("*"), reverse=True):
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
        elif path not in keep:
            path.unlink()
