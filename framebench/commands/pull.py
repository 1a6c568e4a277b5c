"""``framebench pull``: a published image by its digest."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from framebench import images as factory
from framebench.commands.saying import Sayer


def run(root: Path, name: str, console: Console) -> None:
    """Pull the image that was pushed last; another than the published one is refused."""
    say = Sayer(console)
    say(factory.pull_published(root, factory.load_matrix(root).find(name), say))
