"""What the page of a result depends on besides the code: its trials, and what others say of it.

A page is made again only where this has changed. So whatever a page says of another result, of its host or of a
document beside the records has to be here; a test changes each, and looks whether the keys of what changed did too.
"""

from __future__ import annotations

import dataclasses
import hashlib
from datetime import UTC, datetime
from typing import Any

import msgspec

from framebench.dataset import Result
from framebench.pages.evidence import Evidence, Group
from framebench.records.kept import KeptRecord, digest_of
from harness.record import Record

_TRIALS = ("trials", "timed", "failures", "parity", "parity_trial")
_OF_RESULT = [field.name for field in dataclasses.fields(Result) if field.name not in _TRIALS]
_encode = msgspec.msgpack.Encoder(enc_hook=repr).encode


class Dependencies:
    """Of all results of one build."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._groups: dict[tuple[str, ...], bytes] = {}
        self._histories: dict[int, bytes] = {}
        self._known: dict[str, bytes] = {}
        self._today = (
            datetime.now(UTC).date() if evidence.dataset.waivers else None
        )  # a waiver has a last day

    def of(self, result: Result) -> bytes:
        """A digest of all of it."""
        if result.id not in self._known:
            self._known[result.id] = self._of(result)
        return self._known[result.id]

    def _of(self, result: Result) -> bytes:
        data, records = self._evidence.dataset, result.records
        reproductions = data.reproductions.get(result.id, [])
        signed = [*(one.trial_id for one in records), *(one.reproduction_id for one in reproductions)]
        gate = result.parity_trial
        again = self._evidence.measure_again.get(result.id)
        return _digest(
            [getattr(result, name) for name in _OF_RESULT],
            [(kind, [self._content(one) for one in trials]) for kind, trials in result.trials.items()],
            [one.trial_id for one in result.timed],
            gate and self._content(gate),
            self._group(result),
            self._history(result),
            data.noises.get(result.host_id),
            reproductions,
            [data.signers.get(name) for name in signed],
            [data.waivers, self._today],
            again and again.entries,
            self._evidence.publisher,
        )

    def _content(self, record: Record) -> bytes:
        """Of the file: its sidecar is named there by its hash."""
        if isinstance(record, KeptRecord):
            return record.source.digest
        return digest_of(self._evidence.dataset.paths[record.trial_id].read_bytes())

    def _group(self, result: Result) -> bytes | None:
        """Everybody in its table, and how it compares."""
        group = self._evidence.group_of(result)
        if group is None:
            return None
        if group.key not in self._groups:
            self._groups[group.key] = _of_group(group)
        return _digest(self._groups[group.key], group.against_baseline.get(result.id))

    def _history(self, result: Result) -> bytes | None:
        history = self._evidence.history_of(result)
        if history is None:
            return None
        if id(history) not in self._histories:
            steps = [(one.old.id, one.new.id, one.kind, one.times, one.because) for one in history.steps]
            place = [history.case, history.contender, history.host_id, history.executor, history.suite]
            self._histories[id(history)] = _digest(place, [one.id for one in history.results], steps)
        return self._histories[id(history)]


def _of_group(group: Group) -> bytes:
    rows = [
        (
            row.result.id,
            row.result.label,
            row.result.throughput,
            row.place,
            row.verdict,
            row.time_ratio,
            row.cycle_ratio,
        )
        for row in group.comparison.rows
    ]
    absent = [(one.id, one.label, one.status, one.reason) for one in group.comparison.absent]
    baseline = group.comparison.baseline
    return _digest(group.key, rows, absent, baseline and baseline.id, group.comparison.declared)


def _digest(*parts: Any) -> bytes:
    return hashlib.blake2b(_encode(parts), digest_size=16).digest()
