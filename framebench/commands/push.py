"""``framebench push``: images and their bases' packages into a registry."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from framebench import images as factory
from framebench.commands.saying import Sayer


def run(root: Path, names: Sequence[str], registry: str, console: Console) -> None:
    """Push and note the addresses in ``containers/published.json``."""
    rows = factory.load_matrix(root).select(names, all_cpu=False)
    factory.push(root, rows, registry.rstrip("/"), Sayer(console))
