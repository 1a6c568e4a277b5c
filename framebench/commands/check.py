"""``framebench check``: are records sound?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from framebench.commands.saying import Sayer
from framebench.errors import UserError
from framebench.records import store


def run(root: Path, paths: Sequence[Path], console: Console) -> int:
    """Exit code 0 if all are sound; 1 and one line per fault if not."""
    say = Sayer(console)
    for path in paths:
        if not path.exists():
            raise UserError(f"{path}: no such file or folder; give a record or a folder of records")
    faults = store.check(list(paths) or [root / "results"], published=root / "results")
    for fault in faults:
        say(fault)
    if not faults:
        say("all records are sound")
    return 1 if faults else 0
