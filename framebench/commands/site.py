"""``framebench site``: the results as a site, served on this machine where asked."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from rich.console import Console

from framebench import pages
from framebench.commands.saying import Sayer
from framebench.errors import UserError, named, visible
from framebench.pages import publisher
from framebench.pages.publisher import PROJECT, Publisher

_ADDRESS = re.compile(r"https?://[^\s/?#@\\<>\"]+(/[^\s?#\\<>\"]*)?")


class Site(NamedTuple):
    """A site to be built: whose it is, the folder that ``build/site`` goes to, and the folder of the records."""

    publisher: Publisher
    home: Path
    results: Path

    @property
    def folder(self) -> Path:
        """Where the site is built."""
        return self.home / "build" / "site"


def of(root: Path, config: Path | None, results: Path | None) -> Site:
    """This project's site, or the one that the file ``config`` describes; both with ``results/`` beside them unless
    told otherwise."""
    home = root if config is None else config.absolute().parent
    return Site(
        PROJECT if config is None else publisher.read(config),
        home,
        home / "results" if results is None else results,
    )


def build(root: Path, site: Site, site_url: str | None) -> pages.SiteReport:
    """Render ``site``; ``site_url`` is where it will be."""
    return pages.build_site(root, [site.results], site.folder, site_url=site_url, publisher=site.publisher)


def run(
    root: Path,
    config: Path | None,
    results: Path | None,
    serve: int | None,
    site_url: str | None,
    console: Console,
) -> None:
    """Render the results into ``build/site``; ``serve`` is a port, ``site_url`` where the site will be."""
    say = Sayer(console)
    site = of(root, config, results)
    say(build(root, site, address(site_url)).describe())
    if serve is not None:
        say(f"http://127.0.0.1:{serve}/  (Ctrl-C ends)")
        pages.serve(site.folder, serve)


def address(site_url: str | None) -> str | None:
    """With the slash at its end; ``UserError`` for what is no address of a site."""
    if site_url is None:
        return None
    try:
        whole = _ADDRESS.fullmatch(visible(site_url)) is not None and urlsplit(site_url).port != 0
    except ValueError:  # a host or a port that is none
        whole = False
    if not whole:
        raise UserError(
            f"--site-url {re.sub('//.*@', '//…@', named(site_url))}: expected an address like https://example.org/framebench/,"
            " without a user's name, a password or spaces"
        )
    return site_url.rstrip("/") + "/"
