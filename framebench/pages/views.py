"""What templates receive: shaped facts, tables, marks and plots. No figure is computed here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from framebench.pages import figures


class Cell(NamedTuple):
    """One cell of a table. ``css``: ``fb-num`` for figures, ``fb-yes`` / ``fb-no`` for a check's outcome.

    ``quoted``: in the words of a record or another document, which are English on every page.
    """

    text: str
    css: str = ""
    href: str | None = None
    code: bool = False
    stack: str | None = None
    quoted: bool = False


class Table(NamedTuple):
    """A table of figures; each row's first cell is its heading."""

    head: list[str]
    rows: list[list[Cell]]
    caption: str = ""


class Fact(NamedTuple):
    """One line of a definition list; ``text`` – when unknown. ``quoted`` goes on in the words of a record, which are
    English on every page."""

    name: str
    text: str
    code: bool = False
    href: str | None = None
    quoted: str = ""


class Mark(NamedTuple):
    """A short word beside a contender with its meaning as a tooltip; ``warn`` for what limits trust."""

    word: str
    meaning: str
    warn: bool = False


class Trace(NamedTuple):
    """One line or row of dots of a plot; ``path`` is SVG path data in a 0–1000 × 0–100 box.

    ``span``: from where to where its values go, for whoever cannot see the drawing.
    """

    label: str
    path: str
    stack: str | None = None
    span: str = ""


class Band(NamedTuple):
    """A part of a plot's width that is shaded, in the drawing's units."""

    x: int
    width: int


class Plot(NamedTuple):
    """A plot whose words are HTML beside a stretched drawing, so that they stay readable on a phone."""

    title: str
    y_top: str
    y_bottom: str
    x_left: str
    x_right: str
    traces: list[Trace]
    dots: bool = False
    rule: float | None = None
    rule_label: str = ""
    y_name: str = ""
    bands: Sequence[Band] = ()
    band_label: str = ""


class Point(NamedTuple):
    """One point of a scatter plot, ``x`` and ``y`` in per cent from its lower left corner."""

    letter: str
    name: str
    x: str
    y: str
    stack: str


class Scatter(NamedTuple):
    """Lettered points whose words stand beside the drawing; both axes are logarithmic."""

    title: str
    points: list[Point]
    x_name: str
    y_name: str
    x_ends: tuple[str, str]
    y_ends: tuple[str, str]


def scatter(
    title: str, points: Sequence[tuple[str, str, float, float, str]], names: tuple[str, str]
) -> Scatter:
    """Place ``(letter, name, x, y, stack)``, x and y above 0; ``names`` are those of the axes."""
    xs, ys = _Axis([x for _l, _n, x, _y, _s in points]), _Axis([y for _l, _n, _x, y, _s in points])
    placed = [Point(letter, name, xs.place(x), ys.place(y), stack) for letter, name, x, y, stack in points]
    return Scatter(title, placed, *names, xs.ends, ys.ends)


class _Axis:
    """From the least value to the greatest."""

    def __init__(self, values: Sequence[float]) -> None:
        self.low, self.high = min(values), max(values)
        self.ends = figures.ratio(self.low), figures.ratio(self.high)

    def place(self, value: float) -> str:
        width = math.log(self.high / self.low)
        return f"{math.log(value / self.low) / width * 100:.1f}" if width else "50.0"


def plot(
    title: str,
    series: Sequence[tuple[str, list[tuple[float, float]], str | None]],
    *,
    y_low: float,
    y_high: float,
    x_labels: tuple[str, str],
    y_labels: tuple[str, str],
    dots: bool = False,
    rule: tuple[float, str] | None = None,
    y_name: str = "",
    x_ends: tuple[float, float] | None = None,
    spans: Sequence[str] = (),
    bands: tuple[Sequence[tuple[float, float]], str] = ((), ""),
) -> Plot:
    """Scale ``(label, [(x, y)], stack)`` into the drawing's box, x from the least to the greatest of all unless
    ``x_ends`` says otherwise. ``spans``: a text for each series; ``bands``: from where to where it is shaded, and
    what that means."""
    xs = [x for _label, points, _stack in series for x, _y in points]
    x_low, x_high = x_ends or (min(xs), max(xs))
    width = (x_high - x_low) or 1.0
    height = (y_high - y_low) or 1.0

    def place(x: float, y: float) -> tuple[float, float]:
        return (x - x_low) / width * 1000, 100 - (y - y_low) / height * 100

    traces = []
    for number, (label, points, stack) in enumerate(series):
        placed = [place(x, y) for x, y in points]
        path = (_dots if dots else _line)(placed)
        traces.append(Trace(label, path, stack, spans[number] if spans else ""))
    shaded, meaning = bands
    return Plot(
        title,
        y_top=y_labels[1],
        y_bottom=y_labels[0],
        x_left=x_labels[0],
        x_right=x_labels[1],
        traces=traces,
        dots=dots,
        rule=None if rule is None else place(x_low, rule[0])[1],
        rule_label="" if rule is None else rule[1],
        y_name=y_name,
        bands=[_band(place(low, y_low)[0], place(high, y_low)[0]) for low, high in shaded],
        band_label=meaning,
    )


def _dots(placed: Sequence[tuple[float, float]]) -> str:
    """A point at each place, to half a unit of height; steps are shorter than places."""
    return "".join(f"m{step}h0" for step in _steps(placed))


def _line(placed: Sequence[tuple[float, float]]) -> str:
    """A line through all places; of a level stretch its two ends."""
    rounded = [(round(x), round(2 * y)) for x, y in placed]
    bends = [
        placed[n]
        for n, (_x, y) in enumerate(rounded)
        if n in (0, len(rounded) - 1) or not rounded[n - 1][1] == y == rounded[n + 1][1]
    ]
    first, *others = _steps(bends)
    return f"m{first}l{' '.join(others)}" if others else f"m{first}h0"


def _steps(placed: Sequence[tuple[float, float]]) -> list[str]:
    """From place to place, the first from the corner above on the left: ``33-1.5``."""
    steps, before_x, before_y = [], 0, 0
    for x, y in placed:
        here_x, here_y = round(x), round(2 * y)
        steps.append(f"{here_x - before_x}{(here_y - before_y) / 2:+g}")
        before_x, before_y = here_x, here_y
    return steps


def _band(low: float, high: float) -> Band:
    return Band(round(low), round(high) - round(low))


def spread(values: Sequence[float]) -> tuple[float, float]:
    """Where an axis for these values, none below 0, begins and ends: it spans at least 10 % of the largest."""
    low, high = min(values), max(values)
    middle, half = (high + low) / 2, max((high - low) * 0.55, high * 0.05)
    return (max(0.0, middle - half), middle + half) if half else (0.0, 1.0)
