"""What a published image says of itself in its manifest (OCI image spec, annotations)."""

from __future__ import annotations

import subprocess
import tomllib
from datetime import UTC, datetime
from pathlib import Path

from framebench.images.make.assembly import Assembled

_OCI = "org.opencontainers.image"
_RECIPE = (
    *(f"containers/{name}" for name in ("Dockerfile", "base", "images.toml", "locks")),
    *("framebench/images", "harness"),
)
"""What an image is made from and by."""


def manifest_annotations(root: Path, assembled: Assembled) -> dict[str, str]:
    """Title, date, epoch, lock, base and licence, and source and revision where they are known."""
    row = assembled.row
    created = datetime.fromtimestamp(assembled.epoch, UTC)
    return {
        f"{_OCI}.title": row.name,
        f"{_OCI}.description": f"framebench: {' '.join(row.packages[:2])} on Python {row.python}",
        f"{_OCI}.created": created.isoformat().replace("+00:00", "Z"),
        "org.framebench.epoch": str(assembled.epoch),
        "org.framebench.lock-sha256": assembled.lock_sha256,
        "org.framebench.base-layer": assembled.layers[0].digest,
        "org.framebench.base-sha256": assembled.base_sha256,
        **_source(root),
        **_revision(root),
    }


def _source(root: Path) -> dict[str, str]:
    """The project's public address, once pyproject.toml names one."""
    urls = tomllib.loads((root / "pyproject.toml").read_text())["project"].get("urls", {})
    return {f"{_OCI}.source": urls["Source"]} if "Source" in urls else {}


def _revision(root: Path) -> dict[str, str]:
    """The last commit that touched the recipe; nothing where the checkout differs from every commit."""
    status = subprocess.run(
        ["git", "status", "--porcelain", "--", *_RECIPE], cwd=root, text=True, capture_output=True
    )
    if status.returncode or status.stdout:
        return {}
    done = subprocess.run(
        ["git", "log", "-1", "--format=%H", "--", *_RECIPE], cwd=root, text=True, capture_output=True
    )
    return {f"{_OCI}.revision": done.stdout.strip()} if done.stdout.strip() else {}
