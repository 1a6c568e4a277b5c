"""When: the start, the time in the id, the commit, and other trials of the machine."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from framebench.checking.doubt import Doubt, refuse, warn
from framebench.checking.known import Known
from framebench.records.start_time import CLOCKS, identified, started
from harness.record import UNTIMED, Record

BEGINNING = datetime(2026, 11, 23, tzinfo=UTC)  # the project's first day
OVERLAP = timedelta(seconds=10)


def doubts(record: Record, known: Known) -> Iterator[Doubt]:
    """The moments of a record, one after the other: commit, id, start, end, now."""
    start, made = started(record), identified(record)
    if made is None:
        yield refuse("trial_id", f"{record.trial_id!r} is no id that framebench makes")
    if start is None:
        yield refuse("started_utc", f"there is no moment {record.started_utc!r}")
        return
    if start > known.now + CLOCKS:
        yield refuse("started_utc", f"{record.started_utc} has not come yet")
    if start < BEGINNING:
        yield refuse("started_utc", f"{record.started_utc} is before the first day of the project")
    if made is not None and abs(start - made) > CLOCKS:
        words = f"says {record.started_utc}, the trial_id was made at {made:%Y-%m-%dT%H:%M:%SZ}"
        if record.outcome.status == "invalid":  # which is what its campaign has called it
            yield warn("started_utc", words, "a clock was stepped, and no figure is read from the record")
        else:
            yield refuse("started_utc", words)
    commit = record.provenance.git_commit
    if commit and not record.provenance.dirty and known.history.known(commit):
        committed = known.history.committed(commit)
        if start < committed - CLOCKS:
            yield refuse(
                "started_utc",
                f"{record.started_utc} is before its commit {commit[:8]} of {committed:%Y-%m-%dT%H:%MZ}",
            )
    if start <= known.now and record.duration_ns > (known.now - start + CLOCKS).total_seconds() * 1e9:
        yield refuse("duration_ns", f"a trial of {record.duration_ns / 1e9:,.0f} s has not ended yet")
    elif (beside := _overlapped(record, start, known)) is not None:
        yield warn(
            "duration_ns",
            f"the machine measured trial {beside.trial_id} before this one had ended",
            "see whether two campaigns ran beside each other",
        )


def _overlapped(record: Record, start: datetime, known: Known) -> Record | None:
    """The next trial of the same campaign, where it began well before this one's end; untimed ones may do that."""
    following = known.following.get(record.trial_id)
    if following is None or record.kind in UNTIMED:
        return None
    begin = started(following)
    end = start + timedelta(microseconds=record.duration_ns / 1000)
    return following if begin is not None and begin < end - OVERLAP else None
