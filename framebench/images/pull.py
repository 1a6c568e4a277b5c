"""Pull an image by its address and keep it only if its identity is the one that was asked for."""

from __future__ import annotations

from framebench.errors import UserError
from framebench.images import engine
from framebench.images.build import identity


def pull(repo_digest: str, config_digest: str) -> None:
    """Pull ``name@sha256:...``; ``UserError`` when it cannot be had or is another image than the record's."""
    engine.docker("pull", "--quiet", repo_digest)
    details = engine.inspect(repo_digest)
    found = identity(details) if details else None
    if found != config_digest:
        raise UserError(
            f"{repo_digest} has config digest {found or 'unknown'}, the record says {config_digest}: "
            "it is not the image that was measured, so nothing was run"
        )
