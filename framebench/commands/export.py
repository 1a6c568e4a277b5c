"""``framebench export``: an image as one file, and the commands that use it."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from framebench import images as factory
from framebench.commands.saying import Sayer


def run(root: Path, name: str, output: Path | None, console: Console) -> None:
    """Write the file with its checksum; say how it is checked, loaded and run."""
    say = Sayer(console)
    made = factory.export(root, factory.load_matrix(root).find(name), output, say)
    say(f"{made.path}  {made.config_digest}")
    for line in factory.commands(made):
        say(line)
