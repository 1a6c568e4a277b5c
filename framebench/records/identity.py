"""Every key there is: what makes two trials the same trial, the same work, one result, one pair, one campaign."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from harness.record import PROTOCOL_VERSION, Case, Contender, ImageRef, Record, result_id, result_key
from harness.record import Protocol as MeasuringProtocol

__all__ = [
    "Keyed",
    "campaign_id",
    "gate_key",
    "group_key",
    "image_identity",
    "pair_key",
    "place",
    "record_key",
    "result_id",
    "result_key",
    "trial_key",
    "work_hash",
]


class Keyed(Protocol):
    """What a result's keys are made of."""

    @property
    def host_id(self) -> str: ...
    @property
    def executor(self) -> str: ...
    @property
    def case(self) -> Case: ...
    @property
    def contender(self) -> Contender: ...
    @property
    def image(self) -> ImageRef: ...
    @property
    def work_hash(self) -> str: ...
    @property
    def protocol(self) -> MeasuringProtocol: ...


def work_hash(source: Path, stack: str, workload: str) -> str:
    """What makes two trials the same work: SHA-256 over the files that decide what this stack does in it.

    Protocol version, the stack's adapter, the workload's files. A change elsewhere in ``harness/`` orphans no result
    (DESIGN section 1); the harness tree's hash is provenance only. ``source`` holds ``harness/``.
    """
    family = stack.split("-")[0]
    folder = source / "harness" / "workloads" / workload
    adapters = {path.parent.name: path for path in sorted((source / "harness" / "frameworks").glob("*/stack.py"))}
    files = [adapters[part] for part in stack.split("-")]  # keras-jax: Keras and its backend
    files.append(source / "harness" / "workloads" / "philox.py")
    if family == "keras":
        files.append(source / "harness" / "workloads" / "keras_steps.py")
    files += [
        path
        for path in sorted(folder.iterdir())
        if path.is_file() and (path.stem == family or path.stem not in adapters)
    ]
    digest = hashlib.sha256(f"protocol {PROTOCOL_VERSION}\n".encode())
    for path in files:
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(source).as_posix()} {content}\n".encode())
    return digest.hexdigest()


def trial_key(
    kind: str,
    case: Case,
    contender: Contender,
    round_number: int,
    *,
    host_id: str,
    executor: str,
    image: str,
    work_hash: str,
    protocol: str,
) -> tuple[str, ...]:
    """What makes a trial the same trial. The gate is reused whatever the protocol: it never looks at a clock."""
    scope = () if kind == "parity" else (protocol,)
    return (kind, case.path, contender.slug, str(round_number), host_id, executor, image, work_hash, *scope)


def record_key(record: Record) -> tuple[str, ...]:
    """``trial_key`` of a finished trial."""
    return trial_key(
        record.kind,
        record.case,
        record.contender,
        record.round,
        host_id=record.provenance.host_id,
        executor=record.provenance.executor,
        image=image_identity(record.image),
        work_hash=record.provenance.work_hash,
        protocol=record.protocol.name,
    )


def image_identity(image: ImageRef) -> str:
    """Config digest of a container, lock of an environment; none for this interpreter."""
    return image.config_digest or image.lock_sha256 or "no image"


def gate_key(record: Record) -> tuple[str, ...]:
    return (
        record.provenance.host_id,
        record.provenance.executor,
        record.case.path,
        record.contender.slug.removesuffix("-twin"),
        image_identity(record.image),
        record.provenance.work_hash,
    )


def pair_key(result: Keyed) -> tuple[str, ...]:
    """Equal for a contender and its twin, and for nothing else."""
    return (
        result.host_id,
        result.executor,
        result.case.path,
        result.contender.slug.removesuffix("-twin"),
        image_identity(result.image),
        result.work_hash,
        result.protocol.name,
    )


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


def group_key(result: Keyed) -> tuple[str, ...]:
    """What may share a table: one case on one host, by one executor and protocol."""
    return result.case.path, result.host_id, result.executor, result.protocol.name


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
