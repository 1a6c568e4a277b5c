"""What is new, in words: on the home page and in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from framebench.dataset.news import News
from framebench.language import _
from framebench.pages.words import stack_name

MOST = 5


class Item(NamedTuple):
    """One line; ``host_id`` leads to its page."""

    date: str
    host_id: str
    text: str


def items(news: Sequence[News]) -> list[Item]:
    """The newest campaigns, a line each."""
    return [_item(one) for one in news[:MOST]]


def _item(one: News) -> Item:
    pattern = _("{n} results of {workloads} in {stacks}")
    if len(one.results) == 1:
        pattern = _("one result of {workloads} in {stacks}")
    text = pattern.format(
        n=len(one.results),
        workloads=", ".join(one.workloads),
        stacks=", ".join(sorted(map(stack_name, one.stacks))),
    )
    return Item(one.measured_utc[:10], one.host_id, text)
