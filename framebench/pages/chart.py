"""The table-chart of one group: contenders best first, bars on one scale, failures last with their reason."""

from __future__ import annotations

from typing import NamedTuple

from framebench.dataset import Result
from framebench.dataset.every_baseline import Compared
from framebench.language import _
from framebench.pages import figures, flags
from framebench.pages.evidence import Group
from framebench.pages.views import Mark
from framebench.pages.words import (
    common_unit,
    cores_or_device,
    executor_name,
    precision_name,
    rate_unit,
    result_name,
    status_name,
    verdict_name,
)
from harness.flags import OWN_BUILD


class Row(NamedTuple):
    """One contender. ``v``, ``lo``, ``hi`` are per cent of the chart's width, as CSS reads them."""

    id: str
    contender: str
    name: str
    stack: str
    mode: str
    href: str
    value: str
    interval: str
    v: str
    lo: str
    hi: str
    of_best: str
    ratio: str
    ratio_interval: str
    verdict: str
    verdict_word: str
    is_baseline: bool
    ranked: bool
    marks: list[Mark]
    failure: str


class Chart(NamedTuple):
    """A table-chart and the words around it."""

    label: str
    caption: str
    unit: str
    rows: list[Row]


def chart(group: Group, up: str) -> Chart:
    """The chart of a group; ``up`` leads from the page to the site's root."""
    estimates = [result.throughput for result in group.timed if result.throughput is not None]
    top = max((estimate.high or estimate.value for estimate in estimates), default=0.0)
    best = {row.result.id: row.relative_to_best for row in group.rows}
    return Chart(
        label=f"{group.short_title}, {group.place}",
        caption=caption(group),
        unit=rate_unit(common_unit(group.timed)),
        rows=[_row(result, group, best.get(result.id), top, up) for result in [*group.timed, *group.absent]],
    )


def caption(group: Group) -> str:
    """Where and how the figures of a group were made, in one line."""
    parts = [
        _("batch {n}").format(n=group.case.batch),
        precision_name(group.case),
        cores_or_device(group.case),
        group.host_id,
        executor_name(group.executor),
        _("suite {name}").format(name=group.suite),
        _("an earlier edition") if group.comparison.edition else "",
    ]
    return " · ".join(part for part in parts if part)


def compared_text(compared: Compared | None) -> tuple[str, str, str, str]:
    """Ratio, its interval, the verdict as a code and as a word."""
    if compared is None:
        return figures.NONE, "", "", figures.NONE
    value, interval = figures.with_interval(compared.ratio, compared.low, compared.high)
    verdict = compared.verdict if compared.verdict in ("faster", "slower", "tied", "undecided") else ""
    return value, interval, verdict, verdict_name(compared.verdict)


def result_marks(result: Result) -> list[Mark]:
    """What a reader must know before trusting a row: own build, unranked, noisy, outside a container, one trial."""
    marks = [
        Mark(_("own build"), _("Measured with {build}.").format(build=build), warn=True)
        for build in result.image.own_builds
    ]
    if result.throughput is not None and result.unranked_because is not None:
        marks.append(Mark(_("unranked"), flags.why_unranked(result.unranked_because), warn=True))
    shown = (result.unranked_because, OWN_BUILD)
    marks += flags.marks([flag for flag in result.flags if flag not in shown])
    if not result.container:
        word = {"venv": _("venv"), "system": _("system")}.get(result.executor, result.executor)
        marks.append(
            Mark(word, _("Measured {where}.").format(where=executor_name(result.executor)), warn=True)
        )
    if result.throughput is not None and result.throughput.n < 2:
        marks.append(Mark(_("1 trial"), _("One trial has no interval."), warn=True))
    return marks


def _clock_marks(compared: Compared | None) -> list[Mark]:
    """The mark of a ratio that is another one in cycles."""
    if compared is None or compared.other_in_cycles is None:
        return []
    meaning = _(
        "In cycles of the GPU its speed is {ratio} times the baseline's: the two were timed at clocks more than 1 % "
        "apart, and that part of the ratio is not the program's."
    )
    ratio = figures.ratio(compared.other_in_cycles)
    return [Mark(_("clock"), meaning.format(ratio=ratio), warn=True)]


def failure_text(result: Result) -> str:
    """Why there is no figure, in a sentence; empty when there is one that may be compared."""
    if result.status == "ok":
        return ""
    words = status_name(result.status)
    return f"{words}: {_(result.reason)}" if result.reason else words


def _row(result: Result, group: Group, time_to_best: float | None, top: float, up: str) -> Row:
    estimate = result.throughput
    value, interval, of_best = "", "", figures.NONE
    low = high = None
    if estimate is not None:
        value, interval = figures.with_interval(*estimate[:3])
        low, high = estimate.low, estimate.high
        of_best = figures.percent(1 / time_to_best if time_to_best else None, 3)
    own = result is group.comparison.baseline
    compared = group.against_baseline.get(result.id)
    ratio, ratio_interval, verdict, word = compared_text(compared)
    if own:
        ratio, ratio_interval, verdict, word = "1", "", "", _("baseline")
    middle = estimate.value if estimate is not None else None
    return Row(
        id=result.id,
        contender=result.label,
        name=result_name(result),
        stack=result.contender.stack,
        mode=result.contender.mode,
        href=f"{up}results/{result.id}/",
        value=value,
        interval=interval,
        v=_share(middle, top),
        lo=_share(middle if low is None else low, top),
        hi=_share(middle if high is None else high, top),
        of_best=of_best,
        ratio=ratio,
        ratio_interval=ratio_interval,
        verdict=verdict,
        verdict_word=word,
        is_baseline=own,
        ranked=result.ranked,
        marks=[*result_marks(result), *_clock_marks(compared)],
        failure=failure_text(result),
    )


def _share(value: float | None, top: float) -> str:
    return "0" if value is None or not top else f"{min(100.0, max(0.0, value / top * 100)):.2f}"
