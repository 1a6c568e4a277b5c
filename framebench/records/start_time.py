"""When a trial began and its id was made, as moments: the schema knows their form, not whether there is such a day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from framebench.records.trial_ids import milliseconds
from harness.record import Record

CLOCKS = timedelta(hours=1)
"""By how much the clocks of client and engine may differ."""


def started(record: Record) -> datetime | None:
    """In UTC; null where there is no such day or minute."""
    try:
        return datetime.fromisoformat(record.started_utc.replace("Z", "+00:00"))
    except ValueError:
        return None


def identified(record: Record) -> datetime | None:
    """When its id was made; null where the id is none."""
    told = milliseconds(record.trial_id)
    try:
        return None if told is None else datetime.fromtimestamp(told / 1000, UTC)
    except (ValueError, OverflowError):  # after the year 9999
        return None
