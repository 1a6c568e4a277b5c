"""``framebench lock``: what images are made of, resolved anew."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from framebench.commands.saying import Sayer
from framebench.images import load_matrix
from framebench.images.fetch.debs import base_names, remake_base_lock
from framebench.images.fetch.resolve import compile_lock


def run(root: Path, names: Sequence[str], console: Console) -> None:
    """The locks of these images, or with ``base`` first those of these bases, or of all."""
    say = Sayer(console)
    if names and names[0] == "base":
        for name in names[1:] or base_names(root):
            say(str(remake_base_lock(root, name)))
        return
    for row in load_matrix(root).select(names):
        say(str(compile_lock(root, row)))
