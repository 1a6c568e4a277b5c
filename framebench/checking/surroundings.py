"""In what: image, lock, base, harness and versions, as the record's commit has them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any

from framebench.checking.doubt import Doubt, refuse, warn
from framebench.checking.known import Known
from harness.frameworks import SELF_TEST
from harness.record import Record

_PIN = re.compile(r"^([a-z0-9-]+)==(\S+) ", re.MULTILINE)
ADDRESS = re.compile(r"[^\s@]{1,300}@sha256:[0-9a-f]{64}")
FETCH = "fetch the whole history, or ask whoever measured it which commit it was"


def doubts(record: Record, known: Known) -> Iterator[Doubt]:
    """A container's image is named by its parts, and each part is looked up."""
    provenance, image = record.provenance, record.image
    if provenance.executor == "docker" and image.config_digest is None:
        yield refuse("image.config_digest", "a trial in a container knows its image's digest")
    if provenance.executor in ("venv", "system") and image.config_digest is not None:
        yield refuse("image.config_digest", f"there is no image where the executor is {provenance.executor}")
    if provenance.executor in ("venv", "system") and record.engine is not None:
        yield refuse("engine", f"there is no engine where the executor is {provenance.executor}")
    if provenance.executor in ("docker", "venv") and (image.name is None or image.lock_sha256 is None):
        yield refuse("image", f"a trial by {provenance.executor} has the image's name and its lock")
    if provenance.executor == "docker" and provenance.protocol_hash and image.base_sha256 is None:
        yield refuse("image.base_sha256", "a trial in a container knows the base of its image")
    if image.name is not None and not image.name.startswith(f"{record.contender.stack}-"):
        yield refuse("image.name", f"{image.name} is no image of {record.contender.stack}")
    if image.repo_digest is not None and not ADDRESS.fullmatch(image.repo_digest):
        yield refuse("image.repo_digest", f"{image.repo_digest[:100]!r} is no address of an image")
    software = record.software
    if software is not None and record.outcome.status == "ok" and record.contender.stack != SELF_TEST:
        if software.framework is None:
            yield refuse("software.framework", "a trial that ended well knows its framework's version")
        if not software.packages:
            yield refuse("software.packages", "a trial that ended well knows what was installed")
    if record.trial_id in known.other_digest:
        said, common = known.other_digest[record.trial_id]
        yield refuse(
            "image.config_digest", f"{said}, where others of the same lock, base and harness have {common}"
        )
    yield from _commit(record, known)


def _commit(record: Record, known: Known) -> Iterator[Doubt]:
    provenance, image = record.provenance, record.image
    commit = provenance.git_commit
    if commit is None:
        yield warn(
            "provenance.git_commit", "no commit: nothing of its code can be looked up", "measure in a clone"
        )
        if provenance.dirty is not None:
            yield refuse("provenance.dirty", "there is no commit that it could differ from")
        return
    if provenance.dirty is not False:
        words = "measured in a checkout that differed from its commit"
        if known.is_published(record):
            yield refuse(
                "provenance.dirty", words, "commit first, then measure; or keep it in another folder"
            )
        else:
            yield warn(
                "provenance.dirty",
                f"{words}: nothing of its code can be looked up",
                "commit first, then measure",
            )
        return
    if not known.history.known(commit):
        yield warn("provenance.git_commit", f"{commit[:12]} is not in this history", FETCH)
        return
    if provenance.harness_tree_sha256 != known.history.harness_tree(commit):
        yield refuse("provenance.harness_tree_sha256", f"is not the harness of commit {commit[:8]}")
    if image.name is None or provenance.executor == "system":
        return
    row = known.history.images(commit).get(image.name)
    if row is None:
        yield refuse("image.name", f"commit {commit[:8]} has no image {image.name}")
        return
    if row.get("stack") != record.contender.stack:
        yield refuse("contender.stack", f"{record.contender.stack}, the image is for {row.get('stack')}")
    if (row.get("accelerator") == "cpu") != (record.case.device == "cpu"):
        yield refuse("case.device", f"{record.case.device}, the image is for {row.get('accelerator')}")
    yield from _parts(record, known, commit, row)


def _parts(record: Record, known: Known, commit: str, row: dict[str, Any]) -> Iterator[Doubt]:
    """Lock, base and versions of a row of the matrix."""
    image = record.image
    base = known.history.base_sha256(commit, row["base"])
    if image.base_sha256 is not None and image.base_sha256 != base:
        yield refuse("image.base_sha256", f"is not the base of {image.name} in commit {commit[:8]}")
    if image.own_builds:  # another lock, which is in no commit
        return
    lock = known.history.blob(commit, f"containers/locks/{image.name}.txt") or b""
    if image.lock_sha256 is not None and image.lock_sha256 != hashlib.sha256(lock).hexdigest():
        yield refuse("image.lock_sha256", f"is not the lock of {image.name} in commit {commit[:8]}")
        return
    yield from _versions(record, dict(_PIN.findall(lock.decode(errors="replace"))), str(row.get("python")))


def _versions(record: Record, locked: dict[str, str], python: str) -> Iterator[Doubt]:
    """What was read at run time is what the lock holds, but for a wheel's local part (``+cpu``), which not every build
    tells. TensorFlow's wheel for CPUs has another name; CUDA, or a runtime that is a part of another package, has none.
    """
    software = record.software
    if software is None:
        return
    if not software.python.startswith(f"{python}."):
        yield refuse("software.python", f"{software.python}, the image has {python}")
    if software.numpy != locked.get("numpy", software.numpy):
        yield refuse("software.numpy", f"{software.numpy}, the lock has {locked['numpy']}")
    for name, version in software.packages.items():
        pinned = locked.get(name, locked.get(f"{name}-cpu", version))
        if _public(pinned) != _public(version):
            yield refuse(f"software.packages.{name}", f"{version}, the lock has {pinned}")
    versions = {_public(version) for version in locked.values()}
    for field, told in (("framework", software.framework), ("backend", software.backend)):
        last = (told or "").rpartition(" ")[2]
        if last[:1].isdigit() and _public(last) not in versions:
            yield refuse(f"software.{field}", f"{told}, and nothing in the lock has that version")


def _public(version: str) -> str:
    """A version without its local part."""
    return version.partition("+")[0]
