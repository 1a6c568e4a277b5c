"""What an id names: a result or one of its trials, by a unique prefix too."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from framebench.errors import UserError
from framebench.records.identity import result_id
from harness.record import Record


class Found(NamedTuple):
    """What an id means: a result, or one trial of it (``trial`` is its path and record)."""

    result_id: str
    trial: tuple[Path, Record] | None = None


def find(records: Sequence[tuple[Path, Record]], text: str) -> Found:
    """The result or trial that an id or a unique prefix of one names; ``UserError`` otherwise."""
    wanted = text.strip().lower()
    results = {result_id(record): None for _, record in records}
    trials = {record.trial_id: (path, record) for path, record in records}
    if wanted in results:
        return Found(wanted)
    matches = sorted(name for name in (*results, *trials) if wanted and name.startswith(wanted))
    if len(matches) == 1 or wanted in trials:
        name = wanted if wanted in trials else matches[0]
        if name in results:
            return Found(name)
        return Found(result_id(trials[name][1]), trials[name])
    if matches:
        raise UserError(
            f"id {text!r} is ambiguous: {_some(matches)} begin with it; give more of its characters"
        )
    nearest = difflib.get_close_matches(wanted, [*results, *trials], n=3, cutoff=0.4)
    hint = (
        f"the nearest are {_some(nearest)}" if nearest else f"the known results are {_some(sorted(results))}"
    )
    if not records:
        hint = "there are no results yet; run `framebench run` first"
    raise UserError(f"no result or trial has the id {text!r}; {hint}")


def _some(names: Sequence[str], limit: int = 5) -> str:
    shown = ", ".join(names[:limit])
    return f"{shown} and {len(names) - limit} more" if len(names) > limit else shown
