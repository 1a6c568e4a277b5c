"""The very image of a record, by its identity, the config digest; never another one.

It is local, else pulled by its repo digest, else rebuilt from the locks and the harness at the record's commit and
accepted only if the digest is equal. Outside a container the checkout itself must be the record's.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from framebench import images
from framebench.errors import UserError
from framebench.executors import Executor, StackOn, Unavailable
from framebench.executors.docker import DockerExecutor
from harness.record import Record

Say = Callable[[str], None]
ImageSource = Literal["local", "pulled", "rebuilt"]


def prepare_as_recorded(root: Path, executor: Executor, trials: list[Record], say: Say) -> ImageSource:
    """Everything both trials run in, by identity; says how it was had (the contender's way is recorded)."""
    if isinstance(executor, DockerExecutor):
        executor.remove_leftovers()
        ways: list[ImageSource] = []
        for trial in trials:
            way, engine_name = obtain(root, trial, say)
            executor.adopt(trial.image, engine_name)
            ways.append(way)
        return ways[0]
    _same_files(root, trials)
    wanted = [StackOn(trial.contender.stack, trial.case.device) for trial in trials]
    for stack, prepared in executor.prepare(wanted, say).items():
        if isinstance(prepared, Unavailable):
            raise UserError(
                f"{stack} cannot run here: {prepared.reason}"
                + (f"; {prepared.mend}" if prepared.mend else "")
            )
        for trial in trials:
            if trial.contender.stack == stack.stack and trial.image.lock_sha256 != prepared.lock_sha256:
                raise UserError(
                    f"the lock of {trial.image.name} has changed since the record: "
                    f"git checkout {trial.provenance.git_commit}"
                )
    return "local"


def _same_files(root: Path, trials: list[Record]) -> None:
    """Outside a container the checkout itself is measured: it must be the one of the record."""
    tree = images.harness_tree_sha256(root)
    for trial in trials:
        if trial.provenance.harness_tree_sha256 != tree:
            raise UserError(
                f"harness/ differs from the one that made this record: git checkout {trial.provenance.git_commit}"
            )


def obtain(root: Path, trial: Record, say: Say) -> tuple[ImageSource, str]:
    """How the trial's image was had, and what the engine calls it."""
    image = trial.image
    if image.name is None or image.config_digest is None:
        raise UserError(f"trial {trial.trial_id} names no image, so its container cannot be had")
    here = images.find_by_digest(image.config_digest)
    if here:
        say(f"{image.name}: {image.config_digest} is here")
        return "local", here
    if address := image.repo_digest or images.repo_digest(root, image.config_digest):
        say(f"{image.name}: pulling {address}")
        try:
            images.pull(address, image.config_digest)
            return "pulled", address
        except images.Unavailable as error:
            say(f"{image.name}: {error}")
    commit = trial.provenance.git_commit
    if commit is None or trial.provenance.dirty:
        raise UserError(
            f"image {image.config_digest} of {image.name} is not here and cannot be pulled, and its record comes from "
            "a tree that differs from every commit: it cannot be made again"
        )
    say(f"{image.name}: rebuilding from the locks and the harness at {commit[:12]}")
    made = images.rebuild_at(root, commit, image.name, say)
    if made.config_digest != image.config_digest:
        raise UserError(
            f"the rebuilt {image.name} has config digest {made.config_digest}, the record says "
            f"{image.config_digest}: it is not the image that was measured, so nothing was run"
        )
    return "rebuilt", made.tag
