"""Pull an image by its address and keep it only if its identity is the one that was asked for."""

from __future__ import annotations

import re
from pathlib import Path

from framebench.errors import UserError
from framebench.images.folders import Progress
from framebench.images.make import engine
from framebench.images.make.assembly import inputs_sha256
from framebench.images.make.harness_layer import harness_tree_sha256
from framebench.images.make.local import find_by_digest, identity, local_tag, made_from, note_local
from framebench.images.matrix import ImageRow
from framebench.images.published import load_published


class Unavailable(UserError):
    """The registry does not give the image; it may be made again instead."""


def pull(repo_digest: str, config_digest: str) -> None:
    """Pull ``HOST/NAME@sha256:...``; an image that is another than the expected one does not stay.

    Raises
    ------
    Unavailable
        when the registry does not give it, or gives other bytes than the address names.
    UserError
        when the address leads to another image than ``config_digest``, or the engine is not in order.
    """
    engine.require_engine()
    was_here = engine.inspect(repo_digest) is not None
    done = engine.docker("pull", "--quiet", repo_digest, check=False)
    if done.returncode:
        raise _failure(repo_digest, done.stderr)
    details = engine.inspect(repo_digest)
    pulled = identity(details) if details else None
    if pulled != config_digest:
        if not was_here:
            engine.docker("image", "rm", repo_digest, check=False)
        raise UserError(
            f"{repo_digest} has config digest {pulled or 'unknown'}, expected was {config_digest}: "
            "it is not the image that was asked for, so it is not used"
        )


def pull_published(root: Path, row: ImageRow, progress: Progress) -> str:
    """Pull the image of ``row`` that was pushed last, unless it is here; its name in the engine."""
    entries = [(entry.pushed_utc, digest, entry) for digest, entry in load_published(root).items()]
    entries = [entry for entry in entries if entry[2].name == row.name]
    if not entries:
        raise UserError(
            f"containers/published.json has no address of {row.name}: it was not pushed from here;"
            f" `framebench build {row.alias}` makes it."
        )
    _, config_digest, published = max(entries, key=lambda entry: entry[:2])
    if here := find_by_digest(config_digest):
        progress(f"{row.name}: {config_digest} is here")
    else:
        progress(f"{row.name}: pulling {published.repo_digest}")
        pull(published.repo_digest, config_digest)
        here = published.repo_digest
    tag = local_tag(row, config_digest)
    engine.docker("tag", here, tag)
    if published.inputs_sha256 == inputs_sha256(root, row, harness_tree_sha256(root)):
        note_local(root, row, made_from(root, row, config_digest, published.inputs_sha256))
    else:
        progress(
            f"{row.alias}: this checkout would make another image than the one that was pushed,"
            " so `framebench run` builds its own"
        )
    return tag


def _failure(repo_digest: str, said: str) -> UserError:
    """Why a pull failed, in one sentence with the mend."""
    host = repo_digest.partition("/")[0]
    cause = said.strip().splitlines()[-1].removeprefix("Error response from daemon: ") if said.strip() else ""
    cause = cause.removeprefix(f"manifest for {repo_digest} ")
    if "verification failed" in cause:
        return Unavailable(
            f"{host} gave other bytes than {repo_digest} names ({cause}): the registry, or something on the way to"
            " it, is at fault; nothing was kept"
        )
    if re.search(r"manifest unknown|not found|name unknown", cause):
        return Unavailable(f"{host} does not have {repo_digest} ({cause}); nothing was kept")
    if re.search(r"unauthorized|authentication required|denied|no basic auth", cause):
        return Unavailable(
            f"{host} refuses this user {repo_digest} ({cause}): `docker login {host}` and run again"
        )
    if re.search(r"refused|reset|EOF|no such host|timeout|unreachable|deadline", cause):
        return Unavailable(
            f"{host} does not answer, or broke off while giving {repo_digest} ({cause}); nothing was kept:"
            " run again when it is back"
        )
    return UserError(engine.explain("pull", said))
