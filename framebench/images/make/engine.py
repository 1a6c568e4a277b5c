"""The Docker engine through its command line: a client that can build, and sentences for what goes wrong."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

from framebench.errors import UserError


@functools.cache
def client() -> str:
    """A docker client that can drive BuildKit: before version 23 it can by itself, later it needs buildx."""
    folders = [*os.environ.get("PATH", "").split(os.pathsep), "/usr/bin"]
    clients = [
        str(Path(folder, "docker")) for folder in folders if os.access(Path(folder, "docker"), os.X_OK)
    ]
    for path in dict.fromkeys(clients):
        said = subprocess.run([path, "--version"], text=True, capture_output=True).stdout
        version = re.search(r"version (\d+)", said)
        if version and int(version[1]) < 23:
            return path
        if subprocess.run([path, "buildx", "version"], capture_output=True).returncode == 0:
            return path
    if clients:
        raise UserError(f"{clients[0]} lacks the buildx plug-in that builds need; install docker-buildx.")
    raise UserError(
        "There is no docker client on this machine; install one, e.g. `apt-get install docker.io`."
    )


def docker(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the docker client; on failure ``UserError`` with what it said and what would mend it."""
    command = [client(), *arguments]
    done = subprocess.run(command, text=True, capture_output=True, env={**os.environ, "DOCKER_BUILDKIT": "1"})
    if done.returncode and check:
        raise UserError(explain(arguments[0], done.stdout + done.stderr))
    return done


def require_engine() -> None:
    """``UserError`` with the mend when no engine answers, or refuses this user."""
    docker("version", "--format", "{{.Server.Version}}")


def refuse_other_processor(image: str, arch: str) -> None:
    """``UserError`` where an image is to be made for another processor than the engine's: its base's programs have to
    run there."""
    here = docker("version", "--format", "{{.Server.Arch}}").stdout.strip()
    if here != arch:
        raise other_processor(image, arch, here, "the engine's machine")


def other_processor(image: str, arch: str, here: str, whose: str) -> UserError:
    """The refusal to make an image for ``arch`` where the processor is ``here``."""
    return UserError(
        f"Image {image} is for {arch} processors, and {whose} has {here}: build it on a machine with {arch}, or add"
        f' and lock a row with arch = "{here}" in containers/images.toml.'
    )


def explain(what: str, said: str) -> str:
    """One sentence for a failed docker command, with the mend where the cause is known."""
    if "permission denied" in said and "docker.sock" in said:
        return (
            "The Docker engine's socket refuses this user: run as root, or `sudo usermod -aG docker $USER`"
            " and log in again."
        )
    if "Cannot connect to the Docker daemon" in said or "docker daemon is not running" in said:
        return "No Docker engine answers: start it, e.g. `sudo systemctl start docker`."
    if "no space left on device" in said:
        return (
            "The Docker engine's disk is full: free some with `framebench prune` or `docker system prune`,"
            " and run again."
        )
    tail = " | ".join(line.strip() for line in said.strip().splitlines()[-8:])
    return f"`docker {what}` failed: {tail}"


def inspect(reference: str) -> dict[str, Any] | None:
    """What the engine knows of one image, or null when it has none of that name."""
    done = docker("image", "inspect", reference, check=False)
    if done.returncode == 0:
        answer: dict[str, Any] = json.loads(done.stdout)[0]
        return answer
    if "No such image" in done.stderr:
        return None
    raise UserError(explain("image inspect", done.stderr))


def inspect_all(references: Sequence[str]) -> list[dict[str, Any] | None]:
    """``inspect`` of several images, in one question where the engine has them all."""
    if not references:
        return []
    done = docker("image", "inspect", *references, check=False)
    if done.returncode == 0:
        return [*json.loads(done.stdout)]
    return [inspect(reference) for reference in references]


def references(label: str) -> list[str]:
    """Tags (or digests, or ids, where there is nothing else) of the local images that carry ``label``."""
    form = "{{.Repository}} {{.Tag}} {{.Digest}} {{.ID}}"
    listed = docker("image", "ls", "--no-trunc", "--digests", "--filter", f"label={label}", "--format", form)
    references = []
    for repository, tag, digest, image in (line.split() for line in listed.stdout.splitlines()):
        names = [f"{repository}:{tag}", f"{repository}@{digest}", image]
        references.append(next(name for name in names if "<none>" not in name))
    return list(dict.fromkeys(references))


def keeps_layers_unpacked() -> bool:
    """Whether the engine has the classic image store, which needs no layer that it already has."""
    return "containerd" not in docker("info", "--format", "{{json .DriverStatus}}").stdout


def load(write: Callable[[IO[bytes]], None]) -> None:
    """``docker load`` what ``write`` writes, without a copy on disk."""
    process = subprocess.Popen(
        [client(), "load", "--quiet"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        with contextlib.suppress(BrokenPipeError):  # the engine hung up; what it said is more to the point
            write(process.stdin)
            process.stdin.close()
        said = process.stdout.read().decode(errors="replace")
    except BaseException:
        process.kill()
        raise
    finally:
        process.wait()
    if process.returncode:
        raise UserError(explain("load", said))
