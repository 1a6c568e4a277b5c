"""``framebench build``: images, built into the engine; or built twice and compared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from framebench import images as factory
from framebench.commands.saying import Sayer
from framebench.images.fetch.wheel_tags import is_for_here
from framebench.images.make.builder import BuilderName


def run(
    root: Path,
    names: Sequence[str],
    all_cpu: bool,
    check: bool,
    builder: BuilderName | None,
    console: Console,
) -> int:
    """Exit code 0; with ``check`` 1 when two clean builds of an image differ."""
    say = Sayer(console)
    rows = factory.load_matrix(root).select(names, all_cpu)
    if not names and (unlocked := [row.name for row in rows if not factory.is_locked(root, row)]):
        say(f"left out, no lock yet: {', '.join(unlocked)}")
        rows = [row for row in rows if row.name not in unlocked]
    if all_cpu and (other := [row.name for row in rows if not is_for_here(row)]):
        say(f"left out, for another processor than this machine's: {', '.join(other)}")
        rows = [row for row in rows if row.name not in other]
    if check:
        return 0 if factory.check(root, rows, say, builder) else 1
    for row in rows:
        made = factory.build(root, row, say, builder=builder)
        say(f"{made.name}  {made.config_digest}  {made.tag}")
    return 0
