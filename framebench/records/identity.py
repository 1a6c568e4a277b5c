"""Every key there is: what makes two trials the same trial, the same work, one result, one pair, one campaign."""

from __future__ import annotations

import hashlib
from base64 import b32encode
from collections.abc import Sequence
from typing import Protocol

import msgspec

from harness.record import Case, Contender, ImageRef, Record
from harness.record import Protocol as MeasuringProtocol

__all__ = [
    "Grouped",
    "Keyed",
    "campaign_id",
    "campaign_on",
    "edition_key",
    "gate_key",
    "group_key",
    "pair_key",
    "place",
    "protocol_hash",
    "record_key",
    "result_id",
    "result_key",
    "trial_key",
]


class Grouped(Protocol):
    """What decides which table something stands in."""

    @property
    def host_id(self) -> str: ...
    @property
    def executor(self) -> str: ...
    @property
    def case(self) -> Case: ...
    @property
    def protocol(self) -> MeasuringProtocol: ...
    @property
    def edition(self) -> str: ...


class Keyed(Grouped, Protocol):
    """What a result's place is made of."""

    @property
    def contender(self) -> Contender: ...
    @property
    def image(self) -> ImageRef: ...


def protocol_hash(protocol: MeasuringProtocol) -> str:
    """SHA-256 over every parameter: an edited protocol under an old name is another one."""
    return hashlib.sha256(msgspec.json.encode(protocol)).hexdigest()


def environment(image: ImageRef) -> str:
    """What a trial's packages were: lock and base, the image without the harness; else what was found installed."""
    if image.lock_sha256 is None:
        return image.packages_sha256 or "no image"
    return f"{image.lock_sha256} {image.base_sha256 or 'no base'}"


def _protocol(record: Record) -> str:
    """Before version 3 a protocol was known by its name."""
    return record.provenance.protocol_hash or record.protocol.name


def _surroundings(record: Record) -> str:
    """Before version 3 an image counted as a whole, harness and all."""
    if record.provenance.protocol_hash:
        return environment(record.image)
    return record.image.config_digest or record.image.lock_sha256 or "no image"


def result_key(record: Record) -> tuple[str, ...]:
    """What makes trials one result: host, executor, case, contender, environment, work, protocol."""
    return (
        record.provenance.host_id,
        record.provenance.executor,
        record.case.path,
        record.contender.slug,
        _surroundings(record),
        record.provenance.work_hash,
        _protocol(record),
    )


def result_id(record: Record) -> str:
    """Ten base32 characters of the hash of the result's key."""
    digest = hashlib.sha256("\n".join(result_key(record)).encode()).digest()
    return b32encode(digest).decode().lower()[:10]


def trial_key(
    kind: str,
    case: Case,
    contender: Contender,
    round_number: int,
    *,
    host_id: str,
    executor: str,
    environment: str,
    work_hash: str,
    protocol: str,
) -> tuple[str, ...]:
    """What makes a trial the same trial. The gate's ``protocol`` is its own hash: it never looks at a clock."""
    return (
        kind,
        case.path,
        contender.slug,
        str(round_number),
        host_id,
        executor,
        environment,
        work_hash,
        protocol,
    )


def record_key(record: Record) -> tuple[str, ...]:
    """``trial_key`` of a finished trial."""
    return trial_key(
        record.kind,
        record.case,
        record.contender,
        record.round,
        host_id=record.provenance.host_id,
        executor=record.provenance.executor,
        environment=_surroundings(record),
        work_hash=record.provenance.work_hash,
        protocol=_protocol(record),
    )


def gate_key(record: Record) -> tuple[str, ...]:
    """What a gate and the trials behind it have in common."""
    return (
        record.provenance.host_id,
        record.provenance.executor,
        record.case.path,
        record.contender.slug.removesuffix("-twin"),
        _surroundings(record),
        record.provenance.work_hash,
    )


def pair_key(record: Record) -> tuple[str, ...]:
    """Equal for the results of a contender and its twin, and for nothing else."""
    key = result_key(record)
    return (*key[:3], key[3].removesuffix("-twin"), *key[4:])


def place(result: Keyed) -> tuple[str, ...]:
    """Where a result stands; of several (other harness, rebuilt image) the newest is compared."""
    return (
        result.host_id,
        result.case.path,
        result.contender.slug,
        result.image.name or "",
        result.executor,
        result.protocol.name,
    )


def edition_key(record: Record) -> tuple[str, str | None]:
    """By which protocol, and which form of its workload, it was measured: only what agrees in both is compared.

    A gate was passed by a protocol of its own, and belongs to the suite's: what it refused stands beside what it let be
    timed. The second is null for a trial that ended before it read its workload.
    """
    protocol = protocol_hash(record.protocol) if record.provenance.protocol_hash else record.protocol.name
    return protocol, record.workload_config_sha256


def group_key(result: Grouped) -> tuple[str, ...]:
    """What may share a table: one case on one host, by one executor, and one protocol and form of the workload."""
    return result.case.path, result.host_id, result.executor, result.protocol.name, result.edition


def campaign_id(
    suite: msgspec.Struct, selection: Sequence[str], executor: str, host_id: str, harness_tree: str, once: str
) -> str:
    """Equal for the same command on the same host and harness: a stopped campaign carries on as itself.

    Another ``selection`` (budget, cases, contenders, images) is another campaign: its rounds were not interleaved
    with these, so they never pair up. More rounds of the same are the same campaign, carried on. ``once`` tells
    campaigns apart that are never carried on.
    """
    facts = [
        msgspec.json.encode(msgspec.structs.replace(suite, rounds=0)).decode(),
        *selection,
        executor,
        host_id,
        harness_tree,
        once,
    ]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:12]


def campaign_on(campaign_id: str, host_id: str) -> str:
    """The part of a campaign that is measured on one card, whose host this is: a campaign is of one host."""
    return hashlib.sha256(f"{campaign_id}\n{host_id}".encode()).hexdigest()[:12]
