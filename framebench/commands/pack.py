"""``framebench pack``: a campaign as one file, for a machine where nothing can be installed."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from rich.console import Console

from framebench.campaign import suites
from framebench.commands.saying import Sayer
from framebench.errors import UserError
from framebench.pack.carried import fetch_carried
from framebench.pack.pack_file import write_pack


def run(root: Path, suite: str, python: str | None, output: Path, console: Console) -> None:
    """Fetch what it carries, write it, and say how it is used."""
    say = Sayer(console)
    if sys.platform != "linux":
        raise UserError(
            f"a pack is made on Linux for Linux, and this is {sys.platform}; make it where it is to run."
        )
    python = python or f"{sys.version_info.major}.{sys.version_info.minor}"
    if not re.fullmatch(r"3\.(1[1-9]|[2-9]\d)", python):
        raise UserError(f"--python {python}: framebench runs on Python 3.11 and newer; write it as 3.12.")
    if not output.absolute().parent.is_dir():
        raise UserError(f"{output}: its folder does not exist; make it, or name another with -o.")
    if suite != "auto":
        suites.load(root, suite)
    document = write_pack(root, output, python, suite, fetch_carried(root, python, say))
    say(
        f"{output}: {output.stat().st_size / 1e6:.1f} MB, for Python {python} and glibc {document.glibc} or newer"
        f" on {document.machine}"
    )
    if document.dirty:
        say("note: the working tree differs from its commit; the pack's records are marked dirty")
    say(f"there: python{python} {output.name} run --budget 20m")
    say("back here: framebench unpack ARCHIVE")
