"""What was pushed where: ``containers/published.json``, by the config digest that records hold.

An address is known only after a push and differs from registry to registry, so it is no part of the identity.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from framebench.errors import UserError
from framebench.images.folders import write_whole

Digest = Annotated[str, Meta(pattern=r"^sha256:[0-9a-f]{64}$")]
Address = Annotated[str, Meta(pattern=r"^[a-z0-9][a-zA-Z0-9.:\[\]-]*(/[a-z0-9._-]+)+@sha256:[0-9a-f]{64}$")]


class Published(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An image that a registry offers."""

    name: str
    repo_digest: Address
    """``HOST/PREFIX/NAME@sha256:<hex>``: the digest is the manifest's, over the compressed layers."""
    pushed_utc: str
    inputs_sha256: str
    """Over everything the image was made from: a checkout with equal inputs can measure in it and need not build."""


def load_published(root: Path) -> dict[str, Published]:
    """What was pushed, by config digest; ``UserError`` where the file is not one of ours."""
    path = _path(root)
    if not path.exists():
        return {}
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[Digest, Published])
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise UserError(
            f"{path}: {error}; restore it with `git checkout containers/published.json`."
        ) from None


def repo_digest(root: Path, config_digest: str) -> str | None:
    """Address of the image with this identity, or null where it was never pushed."""
    published = load_published(root).get(config_digest)
    return published.repo_digest if published else None


def note_published(root: Path, config_digest: str, published: Published) -> None:
    """Add an image, or its new address, to the file."""
    known = load_published(root) | {config_digest: published}
    content = msgspec.json.format(msgspec.json.encode(dict(sorted(known.items()))), indent=1)
    write_whole(_path(root), content + b"\n")


def repositories(root: Path) -> list[str]:
    """``HOST/PREFIX`` of every place that images were pushed to, the latest first."""
    latest = sorted(load_published(root).values(), key=lambda entry: entry.pushed_utc, reverse=True)
    return list(dict.fromkeys(entry.repo_digest.rpartition("/")[0] for entry in latest))


def _path(root: Path) -> Path:
    return root / "containers" / "published.json"
