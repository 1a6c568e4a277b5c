"""Ratios as bars on one scale, for the macro ``mini``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from framebench.pages import figures
from framebench.pages.views import Mark
from framebench.statistics.interval import Estimate


class Bar(NamedTuple):
    """One ratio; ``v``, ``lo``, ``hi`` are per cent of the width."""

    name: str
    href: str
    stack: str
    mode: str
    ranked: bool
    marks: list[Mark]
    value: str
    interval: str
    v: str
    lo: str
    hi: str


class Drawn(NamedTuple):
    """A ratio before it is scaled."""

    name: str
    href: str
    stack: str
    mode: str
    ranked: bool
    marks: list[Mark]
    ratio: Estimate


def bars(drawn: Sequence[Drawn]) -> list[Bar]:
    """Each ratio from 0 to the largest upper end of them all."""
    top = max((one.ratio.high or one.ratio.value for one in drawn), default=1.0)

    def share(value: float) -> str:
        return f"{value / top * 100:.2f}"

    made = []
    for one in drawn:
        middle, low, high, _rounds = one.ratio
        value, interval = figures.with_interval(middle, low, high)
        ends = share(middle), share(middle if low is None else low), share(middle if high is None else high)
        made.append(Bar(*one[:6], f"{value}×", interval, *ends))
    return made
