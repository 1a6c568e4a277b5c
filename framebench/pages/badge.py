"""Badges: one line of a result, or of its comparison with the baseline, as a small SVG that stands anywhere."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Callable
from typing import NamedTuple

from framebench.dataset import Result
from framebench.dataset.every_baseline import Compared
from framebench.errors import one_line
from framebench.language import _
from framebench.pages import figures
from framebench.pages.chart import caption, compared_text, failure_text
from framebench.pages.evidence import Evidence, Group
from framebench.pages.render import page
from framebench.pages.words import rate_unit, result_name, status_name, task_name

LONGEST = 80  # characters of each half; the whole words are the drawing's title
COLOURS = {"faster": "#12703f", "slower": "#a8321f", "measured": "#0b5cad"}
OTHER = "#52606f"
PADDING = 7


class Half(NamedTuple):
    """One half of a badge: ``text`` is drawn ``length`` wide from ``x``, in a field that is ``width`` wide; pixels."""

    text: str
    x: int
    length: int
    width: int


class Badge(NamedTuple):
    """``title``: all of it in words, with what the figure depends on."""

    label: str
    message: str
    title: str
    colour: str


def result_file(result: Result) -> str:
    """Where the site keeps a result's badge, relative to its root."""
    return f"badges/{result.id}.svg"


def comparison_file(result: Result, baseline: Result) -> str:
    """Where it keeps the badge of a comparison."""
    return f"badges/{result.id}-{baseline.id}.svg"


def of_result(result: Result, group: Group | None) -> Badge:
    """Who, at what work, and the throughput, or why there is none."""
    label = f"{result_name(result)}: {_work(result)}"
    failure = one_line(failure_text(result))
    value, interval, colour = status_name(result.status), "", OTHER
    if result.throughput is not None and not failure:
        value, interval = figures.with_interval(*result.throughput[:3])
        value, colour = f"{value} {rate_unit(result.unit)}", COLOURS["measured"]
        if not result.ranked:
            value, colour = _("{value}, unranked").format(value=value), OTHER
    parts = [f"{label}: {failure or value}"]
    if interval:
        parts.append(_("95 % interval {interval}").format(interval=interval))
    return Badge(label, value, _with_place(parts, result, group), colour)


def of_comparison(result: Result, compared: Compared, group: Group) -> Badge:
    """Who against the baseline, at what work, and the ratio of their speeds with its verdict."""
    baseline = group.comparison.baseline
    assert baseline is not None
    ratio, interval, verdict, word = compared_text(compared)
    label = _("{name} against {baseline}: {work}").format(
        name=result_name(result), baseline=result_name(baseline), work=_work(result)
    )
    parts = [f"{label}: {ratio}×"]
    if interval:
        parts.append(_("95 % interval {interval}").format(interval=interval))
    message = f"{ratio}×, {word}"
    return Badge(label, message, _with_place([*parts, word], result, group), COLOURS.get(verdict, OTHER))


def files(evidence: Evidence) -> dict[str, tuple[Result, Callable[[], str]]]:
    """By path in the site, whose badge it is, and what draws it (SVG): one of every result, and one of every comparison
    with a baseline."""
    badges: dict[str, tuple[Result, Callable[[], str]]] = {}
    for result in evidence.dataset.results:
        badges[result_file(result)] = result, functools.partial(_drawn_result, result, evidence)
        group = evidence.group_of(result)
        baseline = group.comparison.baseline if group else None
        compared = group.against_baseline.get(result.id) if group else None
        if group and baseline and compared:
            draw = functools.partial(_drawn_comparison, result, compared, group, evidence)
            badges[comparison_file(result, baseline)] = result, draw
    return badges


def _drawn_result(result: Result, evidence: Evidence) -> str:
    return drawn(of_result(result, evidence.group_of(result)), evidence)


def _drawn_comparison(result: Result, compared: Compared, group: Group, evidence: Evidence) -> str:
    return drawn(of_comparison(result, compared, group), evidence)


def drawn(badge: Badge, evidence: Evidence) -> str:
    label = _half(badge.label, 0)
    return page(
        evidence.root / "site" / "templates",
        "badge.svg.j2",
        label=label,
        message=_half(badge.message, label.width),
        title=badge.title,
        colour=badge.colour,
    )


def _half(text: str, start: int) -> Half:
    shown = text if len(text) <= LONGEST else f"{text[: LONGEST - 2]} …"
    length = round(sum(map(_advance, shown)))
    return Half(shown, start + PADDING, length, length + 2 * PADDING)


def _advance(letter: str) -> float:
    """About how wide a letter is at 11 px; the drawing stretches the text to the sum, whatever its font."""
    if unicodedata.combining(letter):
        return 0.0
    if unicodedata.east_asian_width(letter) in "WF":
        return 11.0
    if letter in "iljtfrI.,:;|'!()[] \u2009\u202f":
        return 4.2
    return 8.2 if letter.isupper() or letter in "mw%" else 6.8


def _work(result: Result) -> str:
    return f"{result.case.workload} {task_name(result.case.task)}"


def _with_place(parts: list[str], result: Result, group: Group | None) -> str:
    """The words, then what the figure depends on."""
    case = result.case
    place = caption(group) if group else f"{_('batch {n}').format(n=case.batch)} · {result.host_id}"
    return f"{', '.join(parts)} ({_('preset')} {case.preset} · {place})"
