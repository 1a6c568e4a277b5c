"""When a trial began and its id was made, as moments: the schema knows their form, not whether there is such a day."""

from __future__ import annotations

from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta

from framebench.records.trial_ids import milliseconds
from harness.record import Record

CLOCKS = timedelta(hours=1)
"""By how much the clocks of client and engine may differ."""


def started(record: Record) -> datetime | None:
    """In UTC; null where there is no such day or minute."""
    return moment(record.started_utc)


def identified(record: Record) -> datetime | None:
    """When its id was made; null where the id is none."""
    return made(record.trial_id)


def moment(text: str) -> datetime | None:
    """A time of the schema's form; null where there is no such day or minute, or none that can be calculated with."""
    try:
        told = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return told if MINYEAR < told.year < MAXYEAR else None


def made(identity: str) -> datetime | None:
    """When an id of a trial or a document was made; null where it is none of ours."""
    told = milliseconds(identity)
    try:
        when = None if told is None else datetime.fromtimestamp(told / 1000, UTC)
    except (ValueError, OverflowError):  # after the year 9999
        return None
    return when if when is None or when.year < MAXYEAR else None
