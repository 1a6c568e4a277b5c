"""``framebench watch``: newer releases of the frameworks, and the images that follow from them."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from framebench.commands.saying import Sayer
from framebench.images.fetch.newer import follow, look


def run(root: Path, console: Console) -> None:
    """Look, propose, and say it in Markdown, as the text of a pull request."""
    say = Sayer(console)
    newer = look(root)
    for release in newer:
        say(f"- {release.title} {release.version} came out on {release.released} ({release.source})")
    behind = list(follow(root))
    for one in behind:
        if one.follower is not None:
            say(f"- {one.follower.name} follows {one.row.name}")
        else:
            say(
                f"- nothing follows {one.row.name} for {one.release.title} {one.release.version}: {one.why_not}"
            )
    if not newer and not behind:
        say("- nothing is newer than what the images hold")
