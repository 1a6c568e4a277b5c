"""Was it the same work: gate, looks at the timed shape, canaries, and how the trial ended."""

from __future__ import annotations

import re
from collections.abc import Iterator

from framebench.checking.doubt import Doubt, refuse, warn
from framebench.checking.known import Known
from framebench.records.identity import gate_key
from harness.record import Canary, GatePart, ParityDiff, Record

ROUNDED = 0.95
CANARIES = {"precision", "sync", "threads"}


def doubts(record: Record, known: Known) -> Iterator[Doubt]:
    """Whether the outcome follows from what the trial found."""
    yield from _ending(record)
    yield from _canaries(record)
    for field, part in (("shape_before", record.shape_before), ("shape_after", record.shape_after)):
        if part is not None:
            yield from _part(field, part)
            if part.failed and record.outcome.status == "ok":
                yield refuse(field, "comparisons failed, and the trial ended ok")
    if record.parity is not None:
        yield from _gate(record)
    if record.kind == "timing" and record.outcome.status == "ok":
        gates = known.gates.get(gate_key(record), [])
        if not gates:
            yield warn(
                "kind", "no trial of the gate belongs to this time", "add the parity trial of the campaign"
            )
        elif not any(gate.parity is not None and gate.parity.passed for gate in gates):
            yield warn("kind", "its gate did not pass", "nothing: it is shown, and not ranked")


def _ending(record: Record) -> Iterator[Doubt]:
    outcome, ok = record.outcome, record.outcome.status == "ok"
    part = {
        "parity": record.parity,
        "timing": record.timing,
        "memory": record.memory,
        "ceiling": record.ceiling,
    }.get(record.kind, record.phases)
    if ok and not part:
        yield refuse("outcome.status", f"a {record.kind} trial that ended ok without its figures")
    if ok and (outcome.exit_code or outcome.signal or outcome.reason):
        yield refuse("outcome", "ended ok, and says why it did not")
    if not ok and not outcome.reason:
        yield refuse("outcome.reason", f"{outcome.status} without a reason")
    if ok and record.written_by == "host":
        yield refuse("written_by", "the host writes only what the harness could not")
    if record.timing is not None and record.kind != "timing":
        yield refuse("timing", f"a {record.kind} trial has no clock")
    if ok and record.kind != "parity" and (record.software is None or record.settings is None):
        yield refuse("software", "a trial that ended well knows its versions and settings")


def _canaries(record: Record) -> Iterator[Doubt]:
    if record.outcome.status != "ok":
        return
    for canary in record.canaries:
        if canary.passed is False:
            yield refuse("canaries", f"{canary.name} failed ({canary.observed}), and the trial ended ok")
        if canary.passed and not _seen(canary):
            yield refuse(
                "canaries", f"{canary.name} passed, expected {canary.expected}, observed {canary.observed}"
            )
    missing = CANARIES - {canary.name for canary in record.canaries}
    if record.kind in ("timing", "ceiling") and missing:
        yield refuse("canaries", f"{', '.join(sorted(missing))} did not look before the clock")


def _seen(canary: Canary) -> bool:
    """Whether what was observed is what was expected, as far as both are numbers; they are rounded to two digits."""
    try:
        return _within(canary)
    except ValueError:  # no number after all
        return False


def _within(canary: Canary) -> bool:
    if canary.name == "precision":
        bounds = re.search(r"(?:from (\S+) to|<=) (\S+)$", canary.expected)
        error = re.match(r"[0-9.e+-]+", canary.observed)
        if bounds is None or error is None:
            return True
        return float(bounds[1] or 0.0) * ROUNDED <= float(error[0]) <= float(bounds[2]) / ROUNDED
    if canary.name == "sync":
        least = re.search(r">= ([0-9.]+) ms and >= ([0-9.]+) times", canary.expected)
        took = re.match(r"([0-9.]+) ms, ([0-9.]+) times", canary.observed)
        if least is None or took is None:
            return True
        return all(
            float(one) >= ROUNDED * float(low) for one, low in zip(took.groups(), least.groups(), strict=True)
        )
    return True


def _gate(record: Record) -> Iterator[Doubt]:
    parity = record.parity
    assert parity is not None
    for part in parity.parts:
        yield from _part(f"parity.parts.{part.name}", part)
    for one in parity.diffs:
        yield from _diff("parity.diffs", one)
    failed = any(part.failed for part in parity.parts) or any(not one.passed for one in parity.diffs)
    if parity.passed == failed:
        yield refuse("parity.passed", f"{str(parity.passed).lower()}, its comparisons say otherwise")
    if not sum(part.checks for part in parity.parts):
        yield refuse("parity.parts", "nothing was compared")
    if parity.passed != (record.outcome.status == "ok") and record.outcome.status in ("ok", "not_comparable"):
        yield refuse("outcome.status", f"{record.outcome.status}, the gate says otherwise")


def _part(field: str, part: GatePart) -> Iterator[Doubt]:
    if part.failed > part.checks:
        yield refuse(field, f"{part.failed} of {part.checks} comparisons failed")
    if part.worst is not None:
        yield from _diff(field, part.worst)
        if part.worst.passed == bool(part.failed):
            yield refuse(field, f"{part.failed} failed, and the worst comparison says otherwise")


def _diff(field: str, diff: ParityDiff) -> Iterator[Doubt]:
    within = diff.value is not None and diff.value <= diff.tolerance
    if diff.passed != within:
        yield refuse(
            field, f"{diff.what}: {diff.value} at a tolerance of {diff.tolerance}, passed is {diff.passed}"
        )
