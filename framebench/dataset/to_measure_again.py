"""What the perf-changelog asks for and nobody has measured since."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from framebench.dataset.new_against_old import asked_about
from framebench.dataset.result import Result
from framebench.images.perf_changelog import Entry
from framebench.records.start_time import started


class MeasureAgain(NamedTuple):
    """The newest result of a contender in a case on a host, and what has changed since, the newest first."""

    result: Result
    entries: list[Entry]


def to_measure_again(results: Iterable[Result], changelog: Sequence[Entry]) -> list[MeasureAgain]:
    """Sorted by case, contender and host. What is retired, an own build, or of no known date is not asked for."""
    newest: dict[tuple[str, str, str], Result] = {}
    for result in results:
        if asked_about(result) and not (result.retired or result.image.own_builds):
            key = result.case.path, result.contender.slug, result.host_id
            newest[key] = max(newest.get(key, result), result, key=lambda one: (one.started_utc, one.id))
    found = []
    for key in sorted(newest):
        result = newest[key]
        since = started(result.records[-1])
        entries = [
            entry
            for entry in changelog
            if since is not None
            and since < entry.date
            and entry.names(result.contender.stack, result.case.path)
        ]
        found += [MeasureAgain(result, entries)] if entries else []
    return found
