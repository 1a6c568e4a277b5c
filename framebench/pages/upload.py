"""What is uploaded to GitHub Pages: the built site, asked for what Pages would refuse or a reader would not find."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urljoin, urlsplit

from framebench.pages.figures import size

LARGEST = 1_000_000_000
"""Bytes of a published site (docs.github.com, "GitHub Pages limits")."""
_NOWHERE = "http://site.invalid/"


class Upload(NamedTuple):
    """What there is to upload, in bytes, files and pages, and why it should not be: a sentence for each fault."""

    bytes: int
    files: int
    pages: int
    faults: list[str]


def inspect(site: Path, address: str | None, largest: int = LARGEST) -> Upload:
    """The site in the folder ``site``, which will be at ``address`` (with a slash at its end) where that is known."""
    faults = []
    files = {}
    for path in sorted(site.rglob("*")):
        name = path.relative_to(site).as_posix()
        if path.is_symlink():
            faults.append(f"{name}: a link to {path.readlink()}; a site holds only plain files")
        elif path.is_file():
            files[name] = path
        elif not path.is_dir():
            faults.append(f"{name}: neither a file nor a folder; a site holds only plain files")
    total = sum(path.stat().st_size for path in files.values())
    if total > largest:
        faults.append(f"{size(total)} in all; Pages takes {size(largest)}")
    pages = {name: _Page(path) for name, path in files.items() if path.suffix == ".html"}
    faults += _broken(files, pages, address or _NOWHERE)
    return Upload(total, len(files), len(pages), faults)


class _Page(HTMLParser):
    """What a page leads to or loads, and the ids in it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.ids: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src") and value:
                self.links.add(value)
            elif name == "id" and value:
                self.ids.add(value)


def _broken(files: dict[str, Path], pages: dict[str, _Page], base: str) -> Iterator[str]:
    """A sentence for each link of the pages that leads nowhere in the site, or out of it by a path."""
    host, root = urlsplit(base)[:2], urlsplit(base).path
    for name, page in pages.items():
        place = base + name.removesuffix("index.html")
        for link in sorted(page.links):
            try:
                target = urlsplit(urljoin(place, link))
            except ValueError:
                yield f"{name}: {link} is no address"
                continue
            if target[:2] != host:
                continue
            path = unquote(target.path)
            inside = path.removeprefix(root)
            if not path.startswith(root) or ".." in inside.split("/"):
                yield f"{name}: {link} leads out of the site"
                continue
            found = next((one for one in _served(inside) if one in files), None)
            if found is None:
                yield f"{name}: {link} leads to nothing"
            elif target.fragment and found in pages and unquote(target.fragment) not in pages[found].ids:
                yield f"{name}: {link} leads to no such part of the page"


def _served(path: str) -> tuple[str, ...]:
    """The files that Pages would look for, the first one first."""
    if not path or path.endswith("/"):
        return (f"{path}index.html",)
    return path, f"{path}.html", f"{path}/index.html"
