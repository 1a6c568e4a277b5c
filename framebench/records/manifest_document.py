"""The manifest: which files of a campaign were handed in together, and what was in them."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

MANIFEST_VERSION = 1

_NAME = "[A-Za-z0-9_][A-Za-z0-9._-]{0,199}"

CampaignId = Annotated[str, Meta(pattern="^[0-9a-z]{12}$")]
Place = Annotated[
    str,
    Meta(
        pattern=rf"^((reproductions/{_NAME}/trials/)?({_NAME}/){{4}}{_NAME}(\.sidecar\.json\.gz|\.json)"
        rf"|(reproductions|selftests)/{_NAME}/{_NAME}\.json)$",
        max_length=2000,
    ),
]
"""Of a record, a sidecar, a reproduction or a self-test below ``results``, with ``/``, neither absolute nor upwards."""
Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class Manifest(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Files of one campaign by their places, with the SHA-256 of each. Written once, never edited.

    What a campaign measured later has another manifest. ``git_commit``: of the clone that wrote it; null outside git.
    """

    manifest_version: int = MANIFEST_VERSION
    manifest_id: str
    campaign_id: CampaignId
    git_commit: str | None
    files: Annotated[dict[Place, Sha256], Meta(min_length=1)]


def decode_manifest(data: bytes) -> Manifest:
    """Strict decoding; raises ``msgspec.ValidationError`` naming the field, or ``DecodeError``."""
    version = msgspec.json.decode(data, type=_Version).manifest_version
    if version != MANIFEST_VERSION:
        raise msgspec.ValidationError(
            f"manifest_version is {version}, this framebench reads {MANIFEST_VERSION} - at `$.manifest_version`"
        )
    return msgspec.json.decode(data, type=Manifest)


class _Version(msgspec.Struct):
    manifest_version: Annotated[int, Meta(ge=0, le=1000)]
