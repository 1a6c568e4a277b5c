"""``llms.txt``: the site in one page of plain Markdown, for programs that read text (llmstxt.org)."""

from __future__ import annotations

from typing import Any, NamedTuple

from framebench.language import _
from framebench.pages.answer_words import long_title, plain
from framebench.pages.data import CONTENTS
from framebench.pages.evidence import Evidence
from framebench.pages.publisher import PROJECT


class Told(NamedTuple):
    """One answer with the place of its table, relative to the site's root."""

    title: str
    sentence: str
    href: str


def view(evidence: Evidence) -> dict[str, Any]:
    """Everything the template ``llms.txt.j2`` needs; links are relative where the site's address is not known."""
    anchors = {id(group.comparison): group.anchor for group in evidence.groups}
    answers = [
        Told(long_title(answer.question), plain(answer), f"compare/#{anchors[id(answer.case)]}")
        for answer in evidence.dataset.answers
        if answer.case is not None
    ]
    return {
        "address": evidence.site_url or "",
        "answers": answers,
        "tables": {name: _(text) for name, text in CONTENTS.items()},
        "publisher": evidence.publisher,
        "own": evidence.publisher != PROJECT,
    }
