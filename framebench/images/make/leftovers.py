"""Free what framebench stored: its images and volumes in the engine, and its folders below ``build/``."""

from __future__ import annotations

import shutil
from pathlib import Path

from framebench.errors import UserError
from framebench.images.make import engine
from framebench.images.make.assembly import LABEL

_FOLDERS = ("store", "venvs", "cache", "images", "own-locks", "pack")


def prune(root: Path) -> list[str]:
    """Remove images, volumes and stored files; one line for each thing freed. Results and pages stay."""
    lines = []
    try:
        lines += _prune_engine()
    except UserError as error:
        lines.append(f"Docker's part was left: {error}")
    for name in _FOLDERS:
        folder = root / "build" / name
        if folder.is_dir():
            size = _disk_use(folder)
            shutil.rmtree(folder)
            lines.append(f"removed build/{name}, {size / 1e9:.2f} GB")
    return lines or ["nothing to remove"]


def _prune_engine() -> list[str]:
    engine.require_engine()
    lines = []
    for reference in engine.references(LABEL):
        done = engine.docker("image", "rm", reference, check=False)
        lines.append(
            f"removed image {reference}" if done.returncode == 0 else f"kept image {reference}, in use"
        )
    for volume in engine.docker("volume", "ls", "--quiet", "--filter", "name=framebench").stdout.split():
        if volume.startswith("framebench"):
            done = engine.docker("volume", "rm", volume, check=False)
            lines.append(
                f"removed volume {volume}" if done.returncode == 0 else f"kept volume {volume}, in use"
            )
    return lines


def _disk_use(folder: Path) -> int:
    """Bytes on disk, a file with several names counted once."""
    blocks = {(s.st_dev, s.st_ino): s.st_blocks * 512 for s in (p.lstat() for p in folder.rglob("*"))}
    return sum(blocks.values())
