"""``framebench unpack``: the records that a pack left, into ``results/``."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from framebench.commands.saying import Sayer
from framebench.pack.results_archive import unpack


def run(archive: Path, results: Path, console: Console) -> None:
    """All of them or none; ``UserError`` with the first fault."""
    unpacked = unpack(archive, results)
    there = f"; {unpacked.there_already} were there already" if unpacked.there_already else ""
    Sayer(console)(f"{unpacked.stored} records stored in {results}{there}")
