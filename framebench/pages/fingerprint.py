"""What pages are made of besides results: the code, the templates, the words, the tables that people keep."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import framebench

ENGINES = (
    "babel",
    "jinja2",
    "markdown",
    "markupsafe",
    "mkdocs",
    "mkdocs-material",
    "pygments",
    "pymdown-extensions",
)


@functools.cache
def fingerprint(root: Path) -> bytes:
    """Of the checkout ``root`` as this process found it: where it differs, no page that was made before is trusted."""
    hashed = hashlib.blake2b(" ".join(f"{name} {version(name)}" for name in ENGINES).encode(), digest_size=16)
    for path in _files(root):
        hashed.update(f"\0{path.name}\0".encode() + path.read_bytes())
    return hashed.digest()


def _files(root: Path) -> Iterator[Path]:
    site = root / "site"
    yield from sorted(Path(framebench.__path__[0]).rglob("*.py"))
    for folder, kinds in (
        (root / "harness", ("*.py", "proofs.json")),
        (root / "containers", ("*.toml", "*.json")),
        (root, ("mkdocs*.yml",)),
    ):
        found = folder.glob if folder == root else folder.rglob
        yield from sorted(path for kind in kinds for path in found(kind))
    for folder in (site / "templates", site / "theme", site / "locale"):
        yield from sorted(path for path in folder.rglob("*") if path.is_file())
    if (site / "prices.toml").is_file():
        yield site / "prices.toml"
