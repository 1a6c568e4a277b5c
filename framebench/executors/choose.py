"""Which executor a campaign gets, and why, said in one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from framebench.errors import UserError
from framebench.executors import Executor, Progress
from framebench.executors.connection import NamedEngineAway
from framebench.executors.docker import DockerExecutor
from framebench.executors.only_linux import require_linux
from framebench.executors.system import SystemExecutor
from framebench.executors.venv import VenvExecutor
from framebench.images import Device, OwnWheel, load_matrix, refuse_unfit
from framebench.images.fetch import debs
from framebench.images.make import engine


def choose(
    root: Path,
    wanted: str,
    say: Progress,
    images_asked: Sequence[str] = (),
    harness_tree: str | None = None,
    devices: Sequence[Device] = ("cpu",),
    own_wheels: Sequence[OwnWheel] = (),
) -> Executor:
    """The executor that was asked for; for ``auto`` Docker where images can be made, else environments.

    ``images_asked``: rows of the matrix that take the place of their stacks' default images. ``harness_tree``: the
    hash of ``harness/``, where it is known already. ``devices``: what images are needed for. ``own_wheels`` take the
    place of packages in them.
    Raises ``UserError`` with the mend when Docker was asked for and does not answer, or a wheel fits no image.
    """
    if own_wheels:
        matrix = load_matrix(root)
        defaults = [row for device in devices for row in matrix.for_device(device).values()]
        refuse_unfit(root, matrix.select(images_asked) if images_asked else defaults, own_wheels)
    match wanted:
        case "auto":
            return _auto(root, say, images_asked, harness_tree, devices, own_wheels)
        case "docker":
            say("executor: docker, as asked")
            return DockerExecutor(root, images_asked, harness_tree, own_wheels, say)
        case "venv":
            require_linux(wanted)
            say("executor: venv, as asked; results made outside a container say so")
            return VenvExecutor(root, images_asked, own_wheels)
        case "system" if own_wheels:
            raise UserError(
                f"--wheel {own_wheels[0].path.name}: executor system measures in this interpreter as it is;"
                " use docker or venv, or install the wheel here."
            )
        case "system" if images_asked:
            raise UserError(
                f"--image {images_asked[0]}: executor system measures in this interpreter, in no image."
            )
        case "system":
            require_linux(wanted)
            say("executor: system, as asked; these results can be reproduced on this machine only")
            return SystemExecutor(root)
        case _:
            raise UserError(f"There is no executor '{wanted}'; known are auto, docker, venv and system.")


def _auto(
    root: Path,
    say: Progress,
    images_asked: Sequence[str],
    harness_tree: str | None,
    devices: Sequence[Device],
    own_wheels: Sequence[OwnWheel],
) -> Executor:
    try:
        executor = DockerExecutor(root, images_asked, harness_tree, own_wheels, say)
        _require_bases(root, say, executor.bases_to_build(devices))
    except NamedEngineAway:
        raise
    except UserError as obstacle:
        require_linux("venv", f"{obstacle} ")
        say(f"executor: venv, from the same locks as the images, because Docker cannot be used: {obstacle}")
        return VenvExecutor(root, images_asked, own_wheels)
    say("executor: docker, because an engine answers")
    return executor


def _require_bases(root: Path, say: Progress, bases: set[str]) -> None:
    """Raises ``UserError`` where images are missing and what they are built with cannot be had."""
    if bases:
        engine.client()
    for base in sorted(bases):
        debs.fetch_debs(root, base, say)
