"""When a trial began, as a moment: the schema knows the form of a time, not whether there is such a day."""

from __future__ import annotations

from datetime import datetime

from harness.record import Record


def started(record: Record) -> datetime | None:
    """In UTC; null where there is no such day or minute."""
    try:
        return datetime.fromisoformat(record.started_utc.replace("Z", "+00:00"))
    except ValueError:
        return None
