"""Words for what is behind its time: an older version than the newest release, a retired image, a case to be measured
again."""

from __future__ import annotations

from collections.abc import Mapping

from framebench.dataset import Result
from framebench.dataset.contender_history import versions
from framebench.dataset.to_measure_again import MeasureAgain
from framebench.images.matrix import ImageRow, Retired
from framebench.images.perf_changelog import Entry
from framebench.images.releases import Behind, behind
from framebench.language import _
from framebench.pages.evidence import Evidence


def of_result(result: Result, evidence: Evidence) -> list[str]:
    """What a reader of the result must know, a sentence each."""
    sentences = [
        _("{title} {newest} is out since {date}; measured with {version}. Looked up on {looked_up}.").format(
            **_named(one)
        )
        for one in behind(versions(result), evidence.releases)
    ]
    if retired := evidence.retired.get(result.image.name or ""):
        sentences.append(retirement(retired))
    if again := evidence.measure_again.get(result.id):
        sentences.append(to_be_measured_again(again))
    return sentences


def of_image(row: ImageRow, evidence: Evidence) -> list[str]:
    """The same of a row of the matrix, by what it asks for."""
    sentences = [
        _("{title} {newest} is out since {date}; this image has {version}. Looked up on {looked_up}.").format(
            **_named(one)
        )
        for one in behind(asked_for(row), evidence.releases)
    ]
    return [*([retirement(row.retired)] if row.retired else []), *sentences]


def asked_for(row: ImageRow) -> dict[str, str]:
    """Version by package, as the row asks for it."""
    pins = (package.partition("==") for package in row.packages)
    return {name.partition("[")[0]: version for name, _, version in pins}


def retirement(retired: Retired) -> str:
    """Since when, and why."""
    return _(
        "Its image is retired since {date}: {why}. Its results stay, take part in no comparison, and nothing new is "
        "measured in it."
    ).format(date=retired.on, why=retired.because.rstrip("."))


def to_be_measured_again(again: MeasureAgain) -> str:
    """Since when, and what has changed."""
    return _("To be measured again: {what}").format(what=" ".join(map(entry_sentence, again.entries)))


def entry_sentence(entry: Entry) -> str:
    """An entry of the perf-changelog, in its own words: the day, versions or commit, and what changed."""
    return f"{entry.date:%Y-%m-%d}, {brought_by(entry)}: {entry.what.rstrip('.')}."


def brought_by(entry: Entry) -> str:
    """``numpy 2.4.1 → 2.4.6``, or the commit of the harness."""
    if entry.version is not None:
        return f"{entry.version.package} {entry.version.old} → {entry.version.new}"
    return f"commit {(entry.commit or '')[:7]}"


def _named(one: Behind) -> Mapping[str, object]:
    release = one.release
    return {
        "title": release.title,
        "newest": release.version,
        "date": release.released,
        "version": one.version,
        "looked_up": release.looked_up,
    }
