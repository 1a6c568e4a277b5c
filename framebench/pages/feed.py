"""The feed of new results, and of what got slower, faster, broke or works again: Atom (RFC 4287)."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from framebench.dataset import Result
from framebench.dataset.contender_history import Step, changes
from framebench.language import spoken
from framebench.pages import badge, history
from framebench.pages.evidence import Evidence
from framebench.pages.publisher import PROJECT, Publisher
from framebench.records.start_time import started

NEWEST = 100
NAME = "feed.xml"
_BEGINNING = datetime(
    2026, 11, 23, tzinfo=UTC
)  # the project's first day: when a feed without entries was updated


class Entry(NamedTuple):
    """One result, or one change from a result to the next. ``id`` is a URN made from the ids of results: it stays the
    same wherever the site is."""

    id: str
    title: str
    updated: str
    href: str
    summary: str


def view(evidence: Evidence) -> dict[str, Any]:
    """Everything the template ``feed.xml.j2`` needs: the ``NEWEST`` results and changes, the one measured last first.

    Links are whole where the site's address is known and relative to the feed's own where not. A result whose
    last trial started at a time that no calendar has is left out; its page has it.
    """
    dated: list[tuple[datetime, str, Callable[[datetime], Entry]]] = [
        (when, result.id, functools.partial(_entry, result, evidence))
        for result in evidence.dataset.results
        if not result.contender.twin and (when := started(result.records[-1])) is not None
    ]
    for step in changes(evidence.dataset.histories):
        ends = [started(one.records[-1]) for one in (step.old, step.new)]
        if known := [when for when in ends if when is not None]:
            name = f"{step.new.id} since {step.old.id}"
            dated.append((max(known), name, functools.partial(_change, step, evidence)))
    dated.sort(key=lambda one: one[:2], reverse=True)
    entries = [made(when) for when, _name, made in dated[:NEWEST]]
    return {
        "id": f"{evidence.site_url}{NAME}" if evidence.site_url else _urn(_whose(evidence.publisher)),
        "publisher": evidence.publisher,
        "updated": entries[0].updated if entries else _stamp(_BEGINNING),
        "address": evidence.site_url or "./",
        "own": f"{evidence.site_url}{NAME}" if evidence.site_url else None,
        "entries": entries,
    }


def _entry(result: Result, evidence: Evidence, when: datetime) -> Entry:
    shown = badge.of_result(result, evidence.group_of(result))
    return Entry(
        id=_urn(f"result {result.id}"),
        title=f"{shown.label}: {shown.message}",
        updated=_stamp(when),
        href=f"{evidence.site_url or ''}results/{result.id}/",
        summary=shown.title,
    )


def _change(step: Step, evidence: Evidence, when: datetime) -> Entry:
    told = evidence.history_of(step.new)
    assert told is not None
    return Entry(
        id=_urn(f"change {step.new.id} since {step.old.id}"),
        title=history.headline(step),
        updated=_stamp(when),
        href=f"{evidence.site_url or ''}{history.address(told)}",
        summary=history.sentence(step, evidence),
    )


def _whose(publisher: Publisher) -> str:
    return "results" if publisher == PROJECT else f"results of {publisher.title}"


def _stamp(when: datetime) -> str:
    """As RFC 3339 has it, to the second."""
    return when.isoformat(timespec="seconds").replace("+00:00", "Z")


def _urn(what: str) -> str:
    return uuid.uuid5(uuid.NAMESPACE_OID, f"framebench {spoken().folder}{what}").urn
