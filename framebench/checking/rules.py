"""By which rules: seed and round as a plan makes them, and the protocol of the suite."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from framebench.checking.doubt import Doubt, refuse, warn
from framebench.checking.known import Known
from framebench.records.identity import protocol_hash
from harness import frameworks
from harness.record import Protocol, Record

MOST_ROUNDS = 100  # of any suite


def doubts(record: Record, known: Known) -> Iterator[Doubt]:
    """Seed, round, cache, contender and protocol."""
    if record.seed != record.round:
        yield refuse("seed", f"{record.seed}, in round {record.round} it is {record.round}")
    last = record.round if record.trial_id in known.again else MOST_ROUNDS
    if record.kind == "timing" and not 1 <= record.round <= last:
        yield refuse("round", f"{record.round}, rounds are counted from 1 to {last} at most")
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
    told = record.provenance.protocol_hash
    if told and record.kind != "parity" and told != protocol_hash(record.protocol):
        yield refuse("provenance.protocol_hash", "is not the hash of the protocol that the record holds")
    if record.trial_id not in known.again:
        yield from _of_the_suite(record, known)


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
