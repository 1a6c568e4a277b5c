"""Manifests of campaigns: which files they ought to list, and whether a file is still what one lists."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from framebench.records.manifest_document import Manifest
from framebench.records.placing import REPRODUCTIONS, SELFTESTS, sidecar_path
from framebench.records.store import Loaded
from framebench.records.trial_ids import new_trial_id

Listed = Mapping[str, set[str]]
"""By place: what the manifests that list it say its SHA-256 is."""


def place(path: Path) -> str:
    """Where a record, a sidecar, a reproduction or a self-test lies below its folder of results, whichever that is."""
    parts = path.absolute().parts
    if parts[-8:-5:2] == (REPRODUCTIONS, "trials"):
        return "/".join(parts[-8:])
    return "/".join(parts[-3:] if parts[-3:-2] in ((REPRODUCTIONS,), (SELFTESTS,)) else parts[-5:])


def sha256(path: Path) -> str:
    """Of a file's bytes, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def listed(manifests: Iterable[Manifest]) -> Listed:
    """Everything that some manifest lists."""
    found: dict[str, set[str]] = defaultdict(set)
    for manifest in manifests:
        for name, digest in manifest.files.items():
            found[name].add(digest)
    return found


def campaigns(loaded: Loaded) -> dict[str, list[Path]]:
    """The files of each campaign, sorted, the newest campaign first: records, their sidecars, the reproductions that
    its trials were measured for, and the self-tests of its host."""
    campaign_of = {record.trial_id: record.campaign_id for _, record in loaded.every_trial}
    files: dict[str, list[Path]] = defaultdict(list)
    for path, record in sorted(loaded.every_trial, key=lambda one: one[1].trial_id, reverse=True):
        files[record.campaign_id].append(path)
        if record.sidecar is not None:
            files[record.campaign_id].append(sidecar_path(path))
    for path, reproduction in loaded.reproductions:
        for campaign in {campaign_of[one] for one in reproduction.trial_ids if one in campaign_of}:
            files[campaign].append(path)
    campaigns_of: dict[str, set[str]] = defaultdict(set)
    for _, record in loaded.records:
        campaigns_of[record.provenance.host_id].add(record.campaign_id)
    for path, selftest in loaded.selftests:
        for campaign in campaigns_of[selftest.host_id]:
            files[campaign].append(path)
    return {campaign: sorted(paths) for campaign, paths in files.items()}


def compose(campaign_id: str, paths: Sequence[Path], git_commit: str | None) -> Manifest:
    """A new manifest of these files as they are now."""
    return Manifest(
        manifest_id=new_trial_id(),
        campaign_id=campaign_id,
        git_commit=git_commit,
        files=dict(sorted((place(path), sha256(path)) for path in paths)),
    )
