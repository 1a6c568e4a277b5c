"""By which rules: seed and round as a plan makes them, and the protocol of the suite."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from framebench.checking.doubt import Doubt, refuse, warn
from framebench.checking.known import Known, one_contender
from framebench.records.identity import protocol_hash
from harness import frameworks
from harness.record import Protocol, Record

HASHED_SINCE = 3  # records have the hash of their protocol
MOST_ROUNDS = 100  # of any suite


def doubts(record: Record, known: Known) -> Iterator[Doubt]:
    """Seed, round, cache, contender and protocol."""
    if record.seed != record.round:
        yield refuse("seed", f"{record.seed}, in round {record.round} it is {record.round}")
    last = record.round if record.trial_id in known.again else MOST_ROUNDS
    if record.kind == "timing" and not 1 <= record.round <= last:
        yield refuse("round", f"{record.round}, rounds are counted from 1 to {last} at most")
    measured = known.rounds.get(one_contender(record), set())
    if record.kind == "timing" and record.round > 1 and record.round - 1 not in measured:
        yield warn(
            "round",
            f"{record.round}, and there is no round {record.round - 1} of it, not even one that failed",
            "add what was measured, however it ended",
        )
    if record.kind != "timing" and record.round != 0:
        yield refuse("round", f"{record.round}, a {record.kind} trial belongs to round 0")
    if (record.kind == "cold-start") != (record.cache_state == "cold"):
        yield refuse("cache_state", f"{record.cache_state} in a {record.kind} trial")
    if not re.fullmatch("[0-9a-z]{12}", record.campaign_id):
        yield refuse("campaign_id", f"{record.campaign_id[:40]!r} is no id that framebench makes")
    try:
        frameworks.refuse_unknown(record.contender)
    except (frameworks.Unsupported, KeyError) as unknown:
        yield warn(
            "contender", f"{record.contender.slug} is none of today's ({unknown})", "see whether it ever was"
        )
    if record.trial_id not in known.again:  # today's host wrote that, of a work of whatever day
        yield from _version(record, known)
    told = record.provenance.protocol_hash
    if told and record.kind != "parity" and told != protocol_hash(record.protocol):
        yield refuse("provenance.protocol_hash", "is not the hash of the protocol that the record holds")
    if record.trial_id not in known.again:
        yield from _of_the_suite(record, known)


def _version(record: Record, known: Known) -> Iterator[Doubt]:
    """The version is that of the commit's harness, and what a version has is there."""
    provenance, written = record.provenance, known.version(record)
    if written >= HASHED_SINCE and provenance.work_hash and not provenance.protocol_hash:
        yield refuse("provenance.protocol_hash", f"empty, in a record of version {written}")
    commit = provenance.git_commit
    if commit is None or provenance.dirty is not False or not known.history.known(commit):
        return
    code = known.history.blob(commit, "harness/record.py") or b""
    told = re.search(rb"^RECORD_VERSION = (\d{1,4})$", code, re.MULTILINE)
    if told is not None and int(told[1]) != written:
        yield refuse("record_version", f"{written}, commit {commit[:8]} writes {int(told[1])}")


def _of_the_suite(record: Record, known: Known) -> Iterator[Doubt]:
    """A protocol goes by the name of its suite, and has all of its parameters."""
    commit, name = record.provenance.git_commit, record.protocol.name
    if commit is None or record.provenance.dirty is not False or not known.history.known(commit):
        return
    named = [suite for suite in known.history.suites(commit) if suite.get("protocol", {}).get("name") == name]
    if not named:
        yield warn(
            "protocol.name", f"commit {commit[:8]} has no suite with a protocol {name!r}", "say which it was"
        )
        return
    declared = [one for suite in named if (one := _protocol(suite)) is not None]
    if declared and not any(_agree(record.protocol, *one) for one in declared):
        protocol, _ = declared[0]
        other = [
            f"{field} {getattr(record.protocol, field)}, not {getattr(protocol, field)}"
            for field in Protocol.__struct_fields__
            if getattr(record.protocol, field) != getattr(protocol, field)
        ]
        yield refuse("protocol", f"is not the protocol {name!r} of commit {commit[:8]}: {'; '.join(other)}")


def _protocol(suite: dict[str, Any]) -> tuple[Protocol, set[int]] | None:
    """The protocol and the epochs of learning that rows have instead; null where it has another form by now."""
    try:
        protocol = msgspec.convert(suite["protocol"], Protocol)
    except msgspec.ValidationError:
        return None
    return protocol, {row["learning_epochs"] for row in suite.get("case", []) if "learning_epochs" in row}


def _agree(said: Protocol, declared: Protocol, epochs: set[int]) -> bool:
    if said.learning_epochs in epochs:
        declared = msgspec.structs.replace(declared, learning_epochs=said.learning_epochs)
    return said == declared
