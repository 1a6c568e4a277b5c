"""``framebench publish-dry``: the site as a Pages workflow uploads it, and why it should not be uploaded."""

from __future__ import annotations

import subprocess
from pathlib import Path

from rich.console import Console

from framebench.commands import site as site_command
from framebench.commands.saying import Sayer
from framebench.errors import UserError
from framebench.pages import upload
from framebench.pages.figures import size
from framebench.records import git_refusals

SHOWN = 20
"""Faults that are printed; the rest are counted."""


def run(root: Path, config: Path | None, site_url: str | None, console: Console) -> int:
    """Build and inspect what would be uploaded; 1 if it should not be, 0 otherwise."""
    say = Sayer(console)
    address = site_command.address(site_url)
    site = site_command.of(root, config, None)
    left = uncommitted(site.home, [site.results, *([config] if config else [])])
    faults = [f"{name}: not committed; a workflow publishes what is in the commit" for name in left]
    say(site_command.build(root, site, address).describe())
    found = upload.inspect(site.folder, address)
    say(f"to upload: {site.folder}, {size(found.bytes)} in {found.files} files, {found.pages} of them pages")
    faults += found.faults
    for fault in faults[:SHOWN]:
        say(f"refused: {fault}")
    if len(faults) > SHOWN:
        say(f"refused: and {len(faults) - SHOWN} more")
    return 1 if faults else 0


def uncommitted(home: Path, paths: list[Path]) -> list[str]:
    """What of ``paths`` differs from the commit, files that git ignores too; ``UserError`` where git cannot say."""
    command = ["git", "status", "--porcelain", "-z", "--untracked-files=all", "--ignored", "--no-renames"]
    try:
        done = subprocess.run(
            [*command, "--", *(str(path.absolute()) for path in paths)],
            cwd=home,
            capture_output=True,
            text=True,
            errors="surrogateescape",
        )
    except FileNotFoundError:
        raise UserError("there is no git on the path: install it (for example `apt install git`)") from None
    if done.returncode:
        raise UserError(git_refusals.words(home, done.stderr))
    return [line[3:] for line in done.stdout.split("\0") if line]
