"""What runs the stages of the Dockerfile: the Docker engine, or Buildah, which needs no daemon.

A stage is built without network and comes back as a tar of its file system. Which builder made it does not
matter: the canonical layer that is written from the tar is the same.
"""

from __future__ import annotations

import contextlib
import json
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Literal, Protocol

from framebench.errors import UserError
from framebench.images.fetch.wheel_tags import MACHINES
from framebench.images.make import engine

BuilderName = Literal["docker", "buildah"]


class Builder(Protocol):
    name: BuilderName

    def refuse_other_processor(self, image: str, arch: str) -> None:
        """``UserError`` where the programs of an image for ``arch`` cannot run in a stage."""

    def build(self, dockerfile: Path, context: Path, target: str, epoch: int, out: Path) -> None:
        """Build the stage ``target`` and write its file system as the tar ``out``; ``UserError`` if it fails."""


def choose_builder(name: BuilderName | None = None) -> Builder:
    """The builder of this name; without one the Docker engine if it answers, else Buildah."""
    if name == "buildah":
        return Buildah()
    try:
        engine.require_engine()
    except UserError as error:
        if name is None and shutil.which("buildah"):
            return Buildah()
        raise error
    return Docker()


class Docker:
    """BuildKit, in the Docker engine itself or through buildx."""

    name: BuilderName = "docker"

    def refuse_other_processor(self, image: str, arch: str) -> None:
        """See ``Builder``."""
        engine.refuse_other_processor(image, arch)

    def build(self, dockerfile: Path, context: Path, target: str, epoch: int, out: Path) -> None:
        """See ``Builder``. What the build added to the engine's build cache is dropped: our store has the layer."""
        before = set(_cached())
        try:
            engine.docker(
                *("build", "--network", "none", "--no-cache", "--progress", "plain"),
                *("--file", str(dockerfile), "--target", target, "--build-arg", f"SOURCE_DATE_EPOCH={epoch}"),
                *("--output", f"type=tar,dest={out}", str(context)),
            )
        finally:
            for record in reversed([record for record in _cached() if record not in before]):  # newest first
                engine.docker("builder", "prune", "--force", "--all", "--filter", f"id={record}", check=False)


class Buildah:
    """Buildah with an OCI runtime; runc where it is installed, because crun refuses hybrid cgroups."""

    name: BuilderName = "buildah"

    def __init__(self) -> None:
        if shutil.which("buildah") is None:
            raise UserError("Buildah is not installed; install it, e.g. `apt-get install buildah`.")

    def refuse_other_processor(self, image: str, arch: str) -> None:
        """See ``Builder``."""
        if platform.machine() != MACHINES[arch]:
            raise engine.other_processor(image, arch, platform.machine(), "this machine")

    def build(self, dockerfile: Path, context: Path, target: str, epoch: int, out: Path) -> None:
        """See ``Builder``."""
        command = ["buildah", "bud", "--network", "none", "--isolation", "oci", "--layers=false"]
        if runc := shutil.which("runc"):
            command += ["--runtime", runc]
        command += [
            "--file",
            str(dockerfile),
            "--target",
            target,
            "--build-arg",
            f"SOURCE_DATE_EPOCH={epoch}",
        ]
        command += ["--output", f"type=tar,dest={out}", str(context)]
        done = subprocess.run(command, text=True, capture_output=True)
        if done.returncode:
            tail = " | ".join(line.strip() for line in (done.stdout + done.stderr).strip().splitlines()[-8:])
            raise UserError(f"`buildah bud` failed: {tail}")


def _cached() -> list[str]:
    """Ids of the records in the engine's build cache, oldest first; empty where it does not tell."""
    done = engine.docker("system", "df", "--verbose", "--format", "{{json .BuildCache}}", check=False)
    with contextlib.suppress(json.JSONDecodeError, KeyError, TypeError):
        return [record["ID"] for record in sorted(json.loads(done.stdout), key=lambda r: r["CreatedAt"])]
    return []
