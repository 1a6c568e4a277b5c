"""From records to results: trials of one key together, newer results marked as replacing older ones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from framebench.dataset.device_share import ceilings
from framebench.dataset.editions import editions
from framebench.dataset.result import Result, moment
from framebench.dataset.summary import summarise
from framebench.records.identity import gate_key, place, result_key
from harness.record import Record


def results(records: Iterable[Record]) -> list[Result]:
    """One result per key, failures included, sorted by host, case, contender, image and time.

    A parity gate counts for every result of the same contender, case, image and work hash on its host,
    whatever its protocol, and for the contender's A/A twin.
    """
    by_key: dict[tuple[str, ...], list[Record]] = defaultdict(list)
    gates: dict[tuple[str, ...], Record] = {}
    ordered = sorted(records, key=moment)
    measured = ceilings(ordered)
    for record in ordered:
        by_key[result_key(record)].append(record)
        if record.kind == "parity":
            gates[gate_key(record)] = record  # the newest stands
    summaries = [summarise(trials, gates.get(gate_key(trials[0])), measured) for trials in by_key.values()]
    newest: dict[tuple[str, ...], Result] = {}
    for result in sorted(summaries, key=lambda result: result.started_utc):
        newest[place(result)] = result
    images: dict[tuple[str, str], set[str | None]] = defaultdict(set)
    for result in newest.values():
        images[result.contender.slug, result.case.device].add(result.image.name)
    edition_of = editions(summaries)
    marked = (
        replace(
            result,
            edition=edition_of[result.id],
            superseded=newest[place(result)] is not result,
            version=(
                _version(result)
                if result.image.own_builds or len(images[result.contender.slug, result.case.device]) > 1
                else None
            ),
        )
        for result in summaries
    )
    return sorted(marked, key=lambda r: (*place(r), r.started_utc, r.id))


def _version(result: Result) -> str | None:
    """What the image's name says beyond the stack's."""
    return result.image.name.removeprefix(f"{result.contender.stack}-") if result.image.name else None
