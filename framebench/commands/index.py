"""``framebench index``: what is decoded of every record, brought up to date, so that other commands need not."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from framebench.commands.saying import Sayer
from framebench.records import index, store
from framebench.records.writing import disk_error


def run(root: Path, results: Path, console: Console) -> None:
    """Say how many records were new to it, and where it is; ``UserError`` where it cannot be written."""
    say = Sayer(console)
    found = index.of(root, results)
    loaded = store.load([results], index=found)
    try:
        found.save(small=True)
    except OSError as error:
        raise disk_error(found.file, error) from error
    say.skipped(loaded.broken)
    say(
        f"{len(loaded.every_trial)} records: {found.decoded} decoded, {found.known} known already; "
        f"{found.file.stat().st_size / 1e6:.1f} MB in {found.file}"
    )
