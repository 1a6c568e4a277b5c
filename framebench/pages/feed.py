"""The feed of new results: Atom (RFC 4287)."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any, NamedTuple

from framebench.dataset import Result
from framebench.language import spoken
from framebench.pages import badge
from framebench.pages.evidence import Evidence
from framebench.pages.publisher import PROJECT, Publisher
from framebench.records.start_time import started

NEWEST = 100
NAME = "feed.xml"
_BEGINNING = datetime(
    2026, 11, 23, tzinfo=UTC
)  # the project's first day: when a feed without entries was updated


class Entry(NamedTuple):
    """One result. ``id`` is a URN made from the result's id: it stays the same wherever the site is."""

    id: str
    title: str
    updated: str
    href: str
    summary: str


def view(evidence: Evidence) -> dict[str, Any]:
    """Everything the template ``feed.xml.j2`` needs: the ``NEWEST`` results, the one measured last first.

    Links are whole where the site's address is known and relative to the feed's own where not. A result whose
    last trial started at a time that no calendar has is left out; its page has it.
    """
    dated = [
        (when, result)
        for result in evidence.dataset.results
        if not result.contender.twin and (when := started(result.records[-1])) is not None
    ]
    dated.sort(key=lambda pair: (pair[0], pair[1].id), reverse=True)
    entries = [_entry(result, when, evidence) for when, result in dated[:NEWEST]]
    return {
        "id": f"{evidence.site_url}{NAME}" if evidence.site_url else _urn(_whose(evidence.publisher)),
        "publisher": evidence.publisher,
        "updated": entries[0].updated if entries else _stamp(_BEGINNING),
        "address": evidence.site_url or "./",
        "own": f"{evidence.site_url}{NAME}" if evidence.site_url else None,
        "entries": entries,
    }


def _entry(result: Result, when: datetime, evidence: Evidence) -> Entry:
    shown = badge.of_result(result, evidence.group_of(result))
    return Entry(
        id=_urn(f"result {result.id}"),
        title=f"{shown.label}: {shown.message}",
        updated=_stamp(when),
        href=f"{evidence.site_url or ''}results/{result.id}/",
        summary=shown.title,
    )


def _whose(publisher: Publisher) -> str:
    return "results" if publisher == PROJECT else f"results of {publisher.title}"


def _stamp(when: datetime) -> str:
    """As RFC 3339 has it, to the second."""
    return when.isoformat(timespec="seconds").replace("+00:00", "Z")


def _urn(what: str) -> str:
    return uuid.uuid5(uuid.NAMESPACE_OID, f"framebench {spoken().folder}{what}").urn
