"""Which results of one case were measured alike: by the same protocol, with the same form of the workload.

A protocol can change under its old name, and so can a workload. What was measured before such a change is not compared
with what was measured after it: it has an edition of its own.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from framebench.dataset.result import Result, moment
from framebench.records.identity import edition_key, group_key


def editions(results: Iterable[Result]) -> dict[str, str]:
    """By result id: empty for the newest edition of its case, host, executor and protocol's name; else six hex digits
    that tell it from others."""
    groups: dict[tuple[str, ...], list[Result]] = defaultdict(list)
    for result in results:
        groups[group_key(result)].append(result)
    return {name: edition for members in groups.values() for name, edition in _of_group(members).items()}


class Edition(NamedTuple):
    """What was measured alike: one workload by one protocol and with one form of the work, on any host.

    ``id`` follows from workload, protocol and form alone, so it stays what it is whatever is measured later.
    ``first_utc`` and ``last_utc``: when the last trials of the oldest and of the newest of its results began.
    """

    id: str
    workload: str
    suite: str
    first_utc: str
    last_utc: str
    results: list[Result]

    @property
    def hosts(self) -> list[str]:
        """Where it was measured."""
        return sorted({result.host_id for result in self.results})

    @property
    def newest(self) -> list[Result]:
        """Those whose case was measured in no later edition on their host: new results are compared with them."""
        return [result for result in self.results if not result.edition]


def dated(results: Iterable[Result]) -> list[Edition]:
    """Every edition that has a time, the newest first; A/A twins are no results here."""
    groups: dict[tuple[str, ...], list[Result]] = defaultdict(list)
    for result in results:
        groups[group_key(replace(result, edition=""))].append(result)
    editions: dict[str, list[Result]] = defaultdict(list)
    for members in groups.values():
        keys = _keys(members)
        for one in members:
            if one.timed and not one.contender.twin:
                editions[f"{one.case.workload}-{_digits(keys[one.id])}"].append(one)
    told = [_dated(name, members) for name, members in editions.items()]
    return sorted(told, key=lambda one: (one.last_utc, one.id), reverse=True)


def _dated(name: str, members: list[Result]) -> Edition:
    times = [one.started_utc for one in members]
    one = members[0]
    return Edition(name, one.case.workload, one.protocol.name, min(times), max(times), members)


def _of_group(members: Sequence[Result]) -> dict[str, str]:
    """Empty for those that are as the newest of the group."""
    whole = _keys(members)
    newest = whole[max(members, key=lambda result: moment(result.records[-1])).id]
    return {name: "" if key == newest else _digits(key) for name, key in whole.items()}


def _keys(members: Sequence[Result]) -> dict[str, tuple[str, str | None]]:
    """By result id, its protocol and form of the workload."""
    newest_first = sorted(members, key=lambda result: moment(result.records[-1]), reverse=True)
    keys = {result.id: _key(result) for result in newest_first}
    known = [key for key in keys.values() if key[1] is not None]
    # a trial that died before it read its workload belongs to the newest form that its protocol has seen
    return {
        name: key if key[1] is not None else next((one for one in known if one[0] == key[0]), key)
        for name, key in keys.items()
    }


def _key(result: Result) -> tuple[str, str | None]:
    """That of its timed trials; else of its newest trial that knows its workload."""
    newest_first = [result.latest, *reversed(result.records)]
    known = (edition_key(record) for record in newest_first if record.workload_config_sha256 is not None)
    return next(known, edition_key(result.latest))


def _digits(key: tuple[str, str | None]) -> str:
    return hashlib.sha256("\n".join(part or "" for part in key).encode()).hexdigest()[:6]
