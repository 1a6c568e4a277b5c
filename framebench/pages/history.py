"""The pages of history: what changed from version to version, what is to be measured again, and each contender."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from framebench.dataset import Result
from framebench.dataset.contender_history import History, Step, changes, differing, version, versions
from framebench.images.perf_changelog import Entry
from framebench.images.releases import Release
from framebench.language import N_, Sentence, _
from framebench.pages import figures
from framebench.pages.chart import failure_text, result_marks
from framebench.pages.evidence import Evidence
from framebench.pages.lateness import brought_by, entry_sentence
from framebench.pages.stack import names
from framebench.pages.views import Cell, Fact, Mark, Table
from framebench.pages.words import contender_name, executor_name, rate_unit, stack_name
from framebench.records.start_time import started

MOST = 200
UP, UP_FROM_RESULT = "../../../", "../../"

KINDS = {
    "slower": N_("slower"),
    "faster": N_("faster"),
    "broke": N_("fails now"),
    "mended": N_("works now"),
    "unchanged": N_("unchanged"),
    "undecided": N_("undecided"),
    "apart": N_("not compared"),
}
_CSS = {"slower": "slower", "broke": "slower", "faster": "faster", "mended": "faster"}


class Row(NamedTuple):
    """One result of a history, and how it differs from the one before it; ``v``, ``lo`` and ``hi`` in per cent."""

    version: str
    date: str
    href: str
    value: str
    unit: str
    interval: str
    v: str
    lo: str
    hi: str
    failure: str
    marks: list[Mark]
    ratio: str
    ratio_interval: str
    kind: str
    kind_word: str
    notes: list[Cell]


class Shown(NamedTuple):
    """One history: a heading, an anchor, a caption and rows, the oldest first."""

    title: str
    anchor: str
    caption: str
    stack: str
    mode: str
    rows: list[Row]


def pages(evidence: Evidence) -> dict[tuple[str, str], list[History]]:
    """The histories of each page, by stack and workload, sorted."""
    found: dict[tuple[str, str], list[History]] = defaultdict(list)
    for one in evidence.dataset.histories:
        found[one.contender.stack, one.case.workload].append(one)
    return dict(sorted(found.items()))


def address(history: History) -> str:
    """Of its place, relative to the site's root."""
    return f"history/{history.contender.stack}/{history.case.workload}/#{anchor(history)}"


def anchor(history: History) -> str:
    """Its id on the page; the same whatever is measured later."""
    last = history.results[-1]
    gpus = last.latest.hardware.gpus if last.latest.hardware and history.case.device == "gpu" else []
    names = [history.case.slug, history.contender.slug, history.host_id, history.executor, history.suite]
    name = "-".join([*names, *sorted(gpu.name or "unknown" for gpu in gpus)]).lower()
    return "".join(letter if letter.isalnum() else "-" for letter in name)


def fact(result: Result, evidence: Evidence) -> list[Fact]:
    """The line of a result's page that leads to its history; none for what was measured once."""
    one = evidence.history_of(result)
    if one is None or not one.steps:
        return []
    text = _("{n} results over versions and time").format(n=len(one.results))
    return [Fact(_("History"), text, href=UP_FROM_RESULT + address(one))]


def index(evidence: Evidence) -> dict[str, Any]:
    """Everything the template ``history.md.j2`` needs."""
    told = evidence.dataset.histories
    kinds: Counter[str] = Counter(step.kind for history in told for step in history.steps)
    return {
        "changes": _changes(evidence),
        "counts": ", ".join(f"{kinds[kind]} {_(word)}" for kind, word in KINDS.items() if kinds[kind]),
        "steps": sum(kinds.values()),
        "apart": _why_apart(told),
        "again": _again(evidence),
        "changelog": _changelog(evidence),
        "releases": _releases(evidence),
        "pages": _pages(evidence),
    }


def view(stack: str, workload: str, told: Sequence[History], evidence: Evidence) -> dict[str, Any]:
    """Everything the template ``contender_history.md.j2`` needs."""
    return {
        "title": _("{stack} in {workload}: history").format(stack=stack_name(stack), workload=workload),
        "stack": Cell(stack_name(stack), href=f"{UP}stacks/{stack}/" if stack in names() else None),
        "workload": Cell(workload, href=f"{UP}workloads/{workload}/"),
        "histories": [_shown(one, evidence) for one in told if one.steps],
        "single": _single([one for one in told if not one.steps]),
    }


def headline(step: Step) -> str:
    """``PyTorch, eager 2.13.0 in mlp/…: slower, 1.10 times as long as with 2.12.0``."""
    ratio, _interval = _times(step)
    pattern = _("{contender} {new} in {case}: {change}, other than with {old}")
    if step.times is not None:
        pattern = _("{contender} {new} in {case}: {change}, {ratio} times as long as with {old}")
    return pattern.format(
        contender=contender_name(step.new.contender),
        new=version(step.new) or figures.NONE,
        case=step.new.case.path,
        change=_(KINDS[step.kind]),
        ratio=ratio,
        old=version(step.old) or figures.NONE,
    )


def sentence(step: Step, evidence: Evidence) -> str:
    """Where, how sure, and what differs."""
    _ratio, interval = _times(step)
    parts = [
        _("On {host}").format(host=step.new.host_id),
        _("95 % interval {interval}").format(interval=interval) if interval else "",
        *(note.text for note in _notes(step, evidence)),
    ]
    return "; ".join(part for part in parts if part)


def explaining(step: Step, evidence: Evidence) -> list[Entry]:
    """What the perf-changelog has between the two: a bump of that very version, or a commit between their days."""
    stack, case_path = step.new.contender.stack, step.new.case.path
    packages = differing(step, evidence.locked)
    moments = sorted(when for one in (step.old, step.new) if (when := started(one.records[-1])) is not None)
    found = []
    for entry in evidence.perf_changelog:
        if not entry.names(stack, case_path):
            continue
        bump = entry.version
        if bump is not None:
            if packages.get(bump.package) == (bump.old, bump.new):
                found.append(entry)
        elif len(moments) == 2 and moments[0] < entry.date <= moments[1]:
            found.append(entry)
    return found


def _changes(evidence: Evidence) -> Table:
    rows = []
    for step in changes(evidence.dataset.histories)[:MOST]:
        history = evidence.history_of(step.new)
        assert history is not None
        ratio, interval = _times(step)
        rows.append(
            [
                Cell(step.known_utc[:10], "fb-num"),
                Cell(
                    contender_name(history.contender),
                    href="../" + address(history),
                    stack=history.contender.stack,
                ),
                Cell(_(KINDS[step.kind]), f"fb-verdict--{_CSS[step.kind]}"),
                Cell(ratio or figures.NONE, "fb-num"),
                Cell(interval or figures.NONE, "fb-num"),
                Cell("; ".join(note.text for note in _notes(step, evidence)), "fb-reason", quoted=True),
                Cell(history.case.path, code=True),
                Cell(history.host_id, code=True),
            ]
        )
    head = [
        _("Known since"),
        _("Contender"),
        _("Change"),
        _("New time ÷ old"),
        _("95 % interval"),
        _("What differs"),
        _("Case"),
        _("Host"),
    ]
    return Table(head, rows)


def _why_apart(told: Sequence[History]) -> Table:
    """How many steps say nothing, by reason."""
    kinds = ("apart", "undecided")
    reasons = Counter((step.kind, step.because) for one in told for step in one.steps if step.kind in kinds)
    rows = [
        [Cell(_(KINDS[kind])), _why(because), Cell(str(count), "fb-num")]
        for (kind, because), count in sorted(reasons.items(), key=lambda one: (-one[1], one[0]))
    ]
    return Table([_("What follows"), _("Why"), _("How many")], rows)


def _why(because: str) -> Cell:
    """Of ours in the page's language, else in a record's words."""
    if isinstance(because, Sentence):
        return Cell(because.in_words, "fb-reason")
    return Cell(because, "fb-reason", quoted=True)


def _again(evidence: Evidence) -> Table:
    rows = []
    for one in evidence.measure_again.values():
        result = one.result
        rows.append(
            [
                Cell(
                    contender_name(result.contender),
                    href=f"../results/{result.id}/",
                    stack=result.contender.stack,
                ),
                Cell(result.case.path, code=True),
                Cell(result.host_id, code=True),
                Cell(result.started_utc[:10], "fb-num"),
                Cell(" ".join(map(entry_sentence, one.entries)), "fb-reason", quoted=True),
            ]
        )
    return Table([_("Contender"), _("Case"), _("Host"), _("Measured"), _("What has changed since")], rows)


def _changelog(evidence: Evidence) -> Table:
    rows = [
        [
            Cell(f"{entry.date:%Y-%m-%d}"),
            Cell(", ".join(map(stack_name, entry.stacks))),
            Cell(brought_by(entry), quoted=True),
            Cell(entry.what, "fb-reason", quoted=True),
            Cell(" ".join(entry.cases), code=True),
        ]
        for entry in evidence.perf_changelog
    ]
    return Table([_("Date"), _("Stacks"), _("By"), _("What changed"), _("Cases to measure again")], rows)


def _releases(evidence: Evidence) -> Table:
    """The newest release of each framework beside the newest that a result was measured with."""
    rows = []
    known = [(one.started_utc, versions(one)) for one in evidence.dataset.results if one.timed]
    for release in evidence.releases:
        measured = _newest_measured(release, known)
        rows.append(
            [
                Cell(release.title),
                Cell(release.version, code=True),
                Cell(str(release.released), "fb-num"),
                Cell(measured or figures.NONE, code=bool(measured)),
                Cell(str(release.looked_up), "fb-num", href=release.source),
            ]
        )
    head = [_("Framework"), _("Newest release"), _("Out since"), _("Newest measured"), _("Looked up")]
    return Table(head, rows)


def _newest_measured(release: Release, known: Sequence[tuple[str, dict[str, str]]]) -> str | None:
    """``known``: when each result was measured, and its versions."""
    found = [(when, _of(release, versions)) for when, versions in known]
    measured = [(when, version) for when, version in found if version is not None]
    return max(measured)[1] if measured else None


def _of(release: Release, known: dict[str, str]) -> str | None:
    return next((known[name] for name in release.packages if name in known), None)


def _pages(evidence: Evidence) -> Table:
    rows = []
    for (stack, workload), told in pages(evidence).items():
        steps = [step for one in told for step in one.steps]
        rows.append(
            [
                Cell(stack_name(stack), href=f"{stack}/{workload}/", stack=stack),
                Cell(workload),
                Cell(str(sum(len(one.results) for one in told)), "fb-num"),
                Cell(str(len({version(result) for one in told for result in one.results})), "fb-num"),
                Cell(str(sum(step.is_change for step in steps)), "fb-num"),
                Cell(max(result.started_utc for one in told for result in one.results)[:10]),
            ]
        )
    head = [_("Stack"), _("Workload"), _("Results"), _("Versions"), _("Changes"), _("Last measured")]
    return Table(head, rows)


def _shown(history: History, evidence: Evidence) -> Shown:
    estimates = [one.throughput for one in history.results if one.throughput is not None]
    top = max((one.high or one.value for one in estimates), default=0.0)
    place = [
        history.host_id,
        executor_name(history.executor),
        _("suite {name}").format(name=history.suite),
    ]
    steps: list[Step | None] = [None, *history.steps]
    return Shown(
        title=f"{contender_name(history.contender)}, {history.case.slug}",
        anchor=anchor(history),
        caption=" · ".join(place),
        stack=history.contender.stack,
        mode=history.contender.mode,
        rows=[_row(history, number, step, top, evidence) for number, step in enumerate(steps)],
    )


def _row(history: History, number: int, step: Step | None, top: float, evidence: Evidence) -> Row:
    result = history.results[number]
    estimate = result.throughput
    value, interval = ("", "") if estimate is None else figures.with_interval(*estimate[:3])
    low = estimate.low if estimate else None
    high = estimate.high if estimate else None
    middle = estimate.value if estimate else None
    ratio, ratio_interval = _times(step)
    return Row(
        version=version(result) or figures.NONE,
        date=result.started_utc[:10],
        href=f"{UP}results/{result.id}/",
        value=value,
        unit=rate_unit(result.unit),
        interval=interval,
        v=_share(middle, top),
        lo=_share(middle if low is None else low, top),
        hi=_share(middle if high is None else high, top),
        failure=failure_text(result),
        marks=result_marks(result),
        ratio=ratio,
        ratio_interval=ratio_interval,
        kind=_CSS.get(step.kind, "undecided") if step else "",
        kind_word=_(KINDS[step.kind]) if step else "",
        notes=_notes(step._replace(because="") if step.kind == "broke" else step, evidence) if step else [],
    )


def _times(step: Step | None) -> tuple[str, str]:
    return figures.with_interval(*step.times[:3]) if step and step.times else ("", "")


def _notes(step: Step, evidence: Evidence) -> list[Cell]:
    """Why nothing is claimed, what differs, and what the perf-changelog says of it, in its own words."""
    notes = [_why(step.because)] if step.because else []
    packages = differing(step, evidence.locked)
    if packages:
        changed = (
            f"{name} {old or figures.NONE} → {new or figures.NONE}" for name, (old, new) in packages.items()
        )
        notes.append(Cell(", ".join(changed)))
    commits = [(one.git_commit or "")[:7] for one in (step.old, step.new)]
    if step.kind == "apart" and all(commits) and commits[0] != commits[1]:
        notes.append(Cell(f"harness {commits[0]} → {commits[1]}"))
    return notes + [Cell(entry_sentence(entry), quoted=True) for entry in explaining(step, evidence)]


def _single(told: Sequence[History]) -> Table:
    """What was measured once so far, a line each."""
    rows = []
    for history in told:
        (result,) = history.results
        value, interval = figures.NONE, ""
        if result.throughput is not None:
            value, interval = figures.with_interval(*result.throughput[:3])
            value = f"{value} {rate_unit(result.unit)}"
        rows.append(
            [
                Cell(
                    contender_name(history.contender),
                    href=f"{UP}results/{result.id}/",
                    stack=history.contender.stack,
                ),
                Cell(history.case.slug, code=True),
                Cell(history.host_id, code=True),
                Cell(version(result) or figures.NONE),
                Cell(result.started_utc[:10], "fb-num"),
                Cell(value, "fb-num"),
                Cell(interval or failure_text(result) or figures.NONE, "fb-num"),
            ]
        )
    head = [
        _("Contender"),
        _("Case"),
        _("Host"),
        _("Version"),
        _("Measured"),
        _("Throughput"),
        _("95 % interval"),
    ]
    return Table(head, rows)


def _share(value: float | None, top: float) -> str:
    return "0" if value is None or not top else f"{min(100.0, max(0.0, value / top * 100)):.2f}"
