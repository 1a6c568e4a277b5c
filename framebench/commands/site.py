"""``framebench site``: the results as a site, served on this machine where asked."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Console

from framebench import pages
from framebench.commands.saying import Sayer
from framebench.errors import UserError


def run(root: Path, results: Path, serve: int | None, site_url: str | None, console: Console) -> None:
    """Render ``results`` into ``build/site``; ``serve`` is a port, ``site_url`` where the site will be."""
    say = Sayer(console)
    address = None if site_url is None else _address(site_url)
    say(pages.build_site(root, [results], root / "build" / "site", site_url=address).describe())
    if serve is not None:
        say(f"http://127.0.0.1:{serve}/  (Ctrl-C ends)")
        pages.serve(root, serve)


def _address(site_url: str) -> str:
    """With the slash at its end; ``UserError`` for what is no address of a site."""
    parts = urlsplit(site_url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise UserError(f"--site-url {site_url}: expected an address like https://example.org/framebench/")
    return site_url.rstrip("/") + "/"
