"""The shell of the result pages: MkDocs renders one page, and every result is set into a copy of it.

MkDocs would read each result's HTML as Markdown, and parse it again for a search that leaves it out: a hundred times
the work of rendering it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from markupsafe import escape

from framebench.errors import UserError, visible

SOURCE = "results/fb-slot-id.md"
"""Where the page that is rendered once stands among the sources of the site."""
RENDERED = "results/fb-slot-id/index.html"
MARKDOWN = """\
---
title: fb-slot-title
description: fb-slot-description
search:
  exclude: true
hide:
  - navigation
script: result.js
---

# fb-slot-content {#result}

## fb-slot-name {#fb-slot-anchor}
"""

_CUT_OFF = re.compile(r'(class="md-nav__link"[^>]*>)<span class="md-ellipsis">([^<]*)</span>')
"""What would cut off a long name in a menu: without it the name takes two lines, and each page 1 kB less."""
_BESIDE_TAGS = re.compile(r"(?<=>)\n|\n(?=<)")
_SLOT = re.compile(r"fb-slot-(id|title|description|contents|content)")
_ARTICLE = re.compile(r'<h1 id="result">.*?</h1>\s*<h2 .*?</h2>', re.DOTALL)
_ENTRY = re.compile(r"<li\b(?:(?!<li\b).)*?fb-slot-anchor.*?</li>", re.DOTALL)
_HEADING = re.compile(r'<h2 id="([^"]+)">(.*?)<a class="headerlink"')
_ADDRESS = re.compile(r"\s*<url>(?:(?!<url>).)*?fb-slot-id.*?</url>", re.DOTALL)


class ResultPage(NamedTuple):
    """What a result puts into the shell: ``title`` and ``description`` are text, ``content`` is HTML."""

    id: str
    title: str
    description: str
    content: str


@dataclass(frozen=True)
class Shell:
    """``parts``: text and the names of slots by turns; ``entry``: a line of the table of contents, with its slots."""

    parts: tuple[str, ...]
    entry: str

    def fill(self, page: ResultPage) -> str:
        """The whole page of one result; its table of contents names the second headings of its content."""
        entries = [
            self.entry.replace("fb-slot-anchor", anchor).replace("fb-slot-name", name)
            for anchor, name in _HEADING.findall(page.content)
        ]
        slots = {
            "id": page.id,
            "title": str(escape(visible(page.title))),
            "description": str(escape(visible(page.description))),
            "contents": "\n".join(entries),
            "content": page.content,
        }
        return "".join(slots[part] if number % 2 else part for number, part in enumerate(self.parts))


def read(folder: Path) -> Shell:
    """The shell in what MkDocs made of a folder that has ``MARKDOWN`` as its ``SOURCE``."""
    path = folder / RENDERED
    return parse(path.read_text(), str(path))


def parse(rendered: str, name: str) -> Shell:
    """The shell in the text of the rendered page, which ``name`` is for; ``UserError`` where a slot is lost."""
    lines = map(str.strip, rendered.splitlines())
    text = _BESIDE_TAGS.sub("", "\n".join(line for line in lines if line))
    text = _CUT_OFF.sub(r"\1\2", text)
    entry = _ENTRY.search(text)
    if entry is None or not _ARTICLE.search(text):
        raise UserError(
            f"{name}: the theme shows no heading or no table of contents; result pages need both (mkdocs.yml)"
        )
    text = text.replace(entry[0], "fb-slot-contents", 1)
    text = _ARTICLE.sub("fb-slot-content", text, count=1)
    return Shell(tuple(_SLOT.split(text)), entry[0])


def in_sitemap(sitemap: str, ids: Iterable[str]) -> str:
    """The sitemap with every result in place of the shell."""
    return _ADDRESS.sub(lambda found: "".join(found[0].replace("fb-slot-id", one) for one in ids), sitemap)
