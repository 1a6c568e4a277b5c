"""Which results of one case were measured alike: by the same protocol, with the same form of the workload.

A protocol can change under its old name, and so can a workload. What was measured before such a change is not compared
with what was measured after it: it has an edition of its own.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence

from framebench.dataset.result import Result, moment
from framebench.records.identity import edition_key, group_key


def editions(results: Iterable[Result]) -> dict[str, str]:
    """By result id: empty for the newest edition of its case, host, executor and protocol's name; else six hex digits
    that tell it from others."""
    groups: dict[tuple[str, ...], list[Result]] = defaultdict(list)
    for result in results:
        groups[group_key(result)].append(result)
    return {name: edition for members in groups.values() for name, edition in _of_group(members).items()}


def _of_group(members: Sequence[Result]) -> dict[str, str]:
    newest_first = sorted(members, key=lambda result: moment(result.records[-1]), reverse=True)
    keys = {result.id: _key(result) for result in newest_first}
    known = [key for key in keys.values() if key[1] is not None]
    # a trial that died before it read its workload belongs to the newest form that its protocol has seen
    whole = {
        name: key if key[1] is not None else next((one for one in known if one[0] == key[0]), key)
        for name, key in keys.items()
    }
    newest = whole[newest_first[0].id]
    return {name: "" if key == newest else _digits(key) for name, key in whole.items()}


def _key(result: Result) -> tuple[str, str | None]:
    """That of its timed trials; else of its newest trial that knows its workload."""
    newest_first = [result.latest, *reversed(result.records)]
    known = (edition_key(record) for record in newest_first if record.workload_config_sha256 is not None)
    return next(known, edition_key(result.latest))


def _digits(key: tuple[str, str | None]) -> str:
    return hashlib.sha256("\n".join(part or "" for part in key).encode()).hexdigest()[:6]
