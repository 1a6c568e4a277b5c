"""``framebench check``: are records what they say?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from framebench import checking
from framebench.checking import Finding, History
from framebench.commands.saying import Sayer
from framebench.errors import named
from framebench.images import known_digests
from framebench.records import store


def run(root: Path, paths: Sequence[Path], console: Console) -> int:
    """Exit code 0 if none is refused; 1 if one is, with a line for each doubt. A warning is for a human."""
    say = Sayer(console)
    paths = paths or [root / "results"]
    store.refuse_empty(paths)
    checked = checking.check(paths, root / "results", History(root), known_digests(root))
    for finding in checked.refused:
        say(str(finding))
    for line in _grouped(checked.warnings):
        say(line)
    if checked.unseen:
        say(
            f"note: {checked.unseen} records were measured in images that neither containers/published.json nor "
            "containers/rebuilds.json has; whether their commits make those, only `framebench reproduce` tells"
        )
    if checked.refused:
        return 1
    say("all records are sound" if not checked.warnings else "no record is refused")
    return 0


def _grouped(warnings: Sequence[Finding]) -> list[str]:
    """A line for each warning; where files share one, the first of them and how many more."""
    files: dict[str, list[Path]] = {}
    for path, doubt in warnings:
        files.setdefault(str(doubt), []).append(path)
    return [
        f"warning: {named(paths[0])}{f' and {len(paths) - 1} more' if len(paths) > 1 else ''}: {words}"
        for words, paths in files.items()
    ]
