"""Tables, drawings and the code of files are set into a page when MkDocs has rendered it.

They are HTML already. Most of a large site is in them, and MkDocs would read each four times over to find that out; and
a page of which nothing else has changed need not be rendered again.
"""

from __future__ import annotations

import re
from typing import NamedTuple

START, END = "<!--set in-->", "<!--/set in-->"
"""Around them in the text of a page. What others wrote is escaped, so it cannot say this."""

_MARKED = re.compile(f"{START}(.*?){END}", re.DOTALL)
_PLACE = re.compile(
    r'(?:<p>)?<div data-set-in="(\d+)"></div>(?:</p>)?'
)  # a paragraph in a tab, where Markdown looks


class Parted(NamedTuple):
    """The text of a page with a place for each of its ``parts``."""

    text: str
    parts: list[str]


def marked(html: str) -> str:
    """One block of HTML, to be set in; what it has inside is set in with it."""
    return f"{START}{html.replace(START, '').replace(END, '')}{END}"


def parted(text: str) -> Parted:
    """The text of a page without what is marked in it."""
    parts: list[str] = []

    def place(found: re.Match[str]) -> str:
        parts.append(found[1])
        return f'<div data-set-in="{len(parts) - 1}"></div>'

    return Parted(_MARKED.sub(place, text), parts)


def whole(rendered: str, parts: list[str]) -> str:
    """The rendered page with each part in its place."""
    return _PLACE.sub(lambda found: parts[int(found[1])], rendered)
