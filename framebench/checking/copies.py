"""Once: a file that was changed later, a copy under another name, a trial that is there twice."""

from __future__ import annotations

from collections.abc import Iterator

from framebench.checking.doubt import Doubt, refuse, warn
from framebench.checking.known import Known, measured, planned
from framebench.records.writing import MAX_RECORD_BYTES
from harness.record import Record


def doubts(record: Record, known: Known) -> Iterator[Doubt]:
    """Two trials never take the same times to the nanosecond."""
    path = known.paths[record.trial_id]
    size = path.stat().st_size if path.is_file() else 0
    if size > MAX_RECORD_BYTES:
        yield refuse("size", f"{size} bytes, a record has at most {MAX_RECORD_BYTES} without its sidecar")
    if path.absolute() in known.rewritten:
        yield refuse("file", "it was changed after it had been committed")
    twins = [other for other in known.alike[measured(record)] if other != record.trial_id]
    if twins and twins[0] < record.trial_id:
        yield refuse("phases", f"to the nanosecond those of trial {twins[0]}: one is a copy")
    times = [other for other in known.same_trial[planned(record)] if other < record.trial_id]
    if times:
        yield warn(
            "round",
            f"the campaign has this trial already, {times[0]}",
            "keep both only if both were measured, and say why in the pull request",
        )
