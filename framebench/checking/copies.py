"""Once: a file that was changed later, a copy under another name, a trial that is there twice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

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
    if twice := _said_twice(path.read_bytes()) if size else []:
        yield refuse(twice[0], "it is there twice, and readers differ in which they believe")
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


def _said_twice(document: bytes) -> list[str]:
    """Fields that one object of the document has more than once."""
    twice: list[str] = []

    def once(pairs: list[tuple[str, Any]]) -> None:
        twice.extend(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)

    json.loads(document, object_pairs_hook=once)
    return twice
