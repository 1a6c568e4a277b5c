"""``framebench site``: the results as a site, served on this machine where asked."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from framebench import pages
from framebench.commands.saying import Sayer


def run(root: Path, results: Path, serve: int | None, console: Console) -> None:
    """Render ``results`` into ``build/site``; ``serve`` is a port."""
    say = Sayer(console)
    say(pages.build_site(root, [results], root / "build" / "site").describe())
    if serve is not None:
        say(f"http://127.0.0.1:{serve}/  (Ctrl-C ends)")
        pages.serve(root, serve)
