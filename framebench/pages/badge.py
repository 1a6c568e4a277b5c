"""Badges: one line of a result, or of its comparison with the baseline, as a small SVG that stands anywhere."""

from __future__ import annotations

import unicodedata
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


def files(evidence: Evidence) -> dict[str, str | bytes]:
    """``{path in the site: SVG}`` of every result, and of every comparison with a baseline."""
    badges: dict[str, str | bytes] = {}
    results = {result.id: result for result in evidence.dataset.results}
    for result in results.values():
        badges[result_file(result)] = drawn(of_result(result, evidence.group_of(result)), evidence)
    for group in evidence.groups:
        baseline = group.comparison.baseline
        for result_id, compared in group.against_baseline.items() if baseline else ():
            result = results[result_id]
            assert baseline is not None
            badges[comparison_file(result, baseline)] = drawn(
                of_comparison(result, compared, group), evidence
            )
    return badges


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
