"""``framebench prune``: free what framebench stored."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from framebench import images
from framebench.commands.saying import Sayer


def run(root: Path, console: Console) -> None:
    """One line for each thing freed."""
    say = Sayer(console)
    for line in images.prune(root):
        say(line)
