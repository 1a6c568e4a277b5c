"""The way to a Docker engine, and sentences for its refusals and its silence."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import docker
import requests
from docker.context import ContextAPI
from docker.errors import APIError, DockerException
from docker.utils.config import find_config_file

from framebench.errors import UserError, one_line
from framebench.executors import gpu

DEFAULT_SOCKET = "unix:///var/run/docker.sock"


class NamedEngineAway(UserError):
    """The engine that the user named cannot be used: nobody may measure without it in its place."""


class Named(NamedTuple):
    """The engine that trials run in: its address, and what names it (``DOCKER_HOST``, a context; null: nothing)."""

    host: str
    by: str | None

    @property
    def elsewhere(self) -> bool:
        """Whether its address may be another machine's; a socket is this one's, or its virtual machine's."""
        return not self.host.startswith(("unix://", "/", "npipe://"))

    @property
    def is_a_context(self) -> bool:
        return self.by not in (None, "DOCKER_HOST")

    def __str__(self) -> str:
        host = without_password(self.host.removeprefix("unix://") or self.host)
        return f"{host} (named by {self.by})" if self.by else host


def named() -> Named:
    """As docker's own client finds it: ``DOCKER_HOST``, else the context in use, else the default socket."""
    if host := os.environ.get("DOCKER_HOST"):
        return Named(host, "DOCKER_HOST")
    context = os.environ.get("DOCKER_CONTEXT") or _context_in_use()
    if context in (None, "default"):
        return Named(DEFAULT_SOCKET, None)
    try:
        known = ContextAPI.get_context(context)
    except Exception as error:  # the file of the context is broken; docker-py raises nothing more exact
        raise NamedEngineAway(f"Docker's context {context} cannot be read: {error}") from None
    if known is None or not known.Host:
        raise NamedEngineAway(
            f"Docker has no context {context}, which is the one in use; `docker context ls` lists those that there"
            " are, `docker context use default` takes this machine's engine."
        )
    return Named(known.Host, f"docker's context {context}")


def without_password(words: str) -> str:
    """An address, or words that quote one, without what stands between the user's name and the host."""
    return re.sub(r"(://[^\s/@:]*):.*@", r"\1:…@", words)


def _context_in_use() -> str | None:
    """As docker's configuration says; null where it says nothing."""
    path = find_config_file()
    if path is None:
        return None
    try:
        config = json.loads(Path(path).read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise NamedEngineAway(
            f"Docker's configuration {path} cannot be read ({error}); mend it or delete it."
        ) from None
    context = config.get("currentContext") if isinstance(config, dict) else config
    if isinstance(config, dict) and isinstance(context, str | None):
        return context or None
    raise NamedEngineAway(
        f"Docker's configuration {path}: currentContext is no name of a context; `docker context use default` mends it."
    )


def connect() -> docker.DockerClient:
    """A client of the engine that is ``named``.

    ``UserError`` says why there is none, with the mend; ``NamedEngineAway`` where somebody named that engine.
    """
    engine = named()
    refuse = NamedEngineAway if engine.by else UserError
    if fault := _fault(engine.host):
        raise refuse(f"The Docker engine at {engine} {fault}, or choose this machine by {_unnamed(engine)}.")
    try:
        client = docker.from_env()
        client.ping()
    except (DockerException, requests.RequestException, ValueError) as error:  # the last: no address at all
        causes, said = [*_causes(error)], without_password(str(error))
        if any(isinstance(cause, PermissionError) for cause in causes):
            raise refuse(
                f"No permission on the Docker socket {engine}; run `sudo usermod -aG docker $USER` and log in"
                " again."
            ) from None
        if engine.elsewhere:
            raise refuse(
                f"The Docker engine at {engine} cannot be used: {said}; start it there, or choose this machine by"
                f" {_unnamed(engine)} or `--executor venv`."
            ) from None
        other = f"choose this machine's own by {_unnamed(engine)}, " if engine.by else ""
        if any(isinstance(cause, FileNotFoundError | ConnectionRefusedError) for cause in causes):
            how = "" if engine.is_a_context else " (`sudo systemctl start docker`, or `sudo dockerd`)"
            raise refuse(
                f"No Docker engine answers at {engine}; start it{how}, {other}or use `--executor venv`."
            ) from None
        raise refuse(
            f"The Docker engine at {engine} cannot be used: {said}; mend that, {other}or use `--executor venv`."
        ) from None
    return client


def _fault(host: str) -> str | None:
    """Why an address is none that could be used here, and what would be; null where nothing speaks against it."""
    scheme, _, rest = host.partition("://")
    if scheme == "ssh":
        if re.sub(r"^[^/]*@", "", rest)[:1] in ("", "/", ":"):
            return "has no name of a machine behind ssh://: write ssh://USER@HOST"
        there = _destination(without_password(host).removeprefix("ssh://"))
        return (
            "is reached by ssh, which framebench does not speak: forward its socket with"
            f" `ssh -nNT -L /tmp/engine.sock:/var/run/docker.sock {there}` and set"
            " DOCKER_HOST=unix:///tmp/engine.sock"
        )
    if without_password(host) != host:
        return "has a password in it, which no engine is asked with: write it without"
    if scheme == "npipe":
        return "is a named pipe of Windows, and there are none here: write unix:///PATH or tcp://HOST:PORT"
    if scheme == "unix" and not rest.strip("/"):
        return "has no path of a socket: write unix:///PATH, such as unix:///var/run/docker.sock"
    return None


def _unnamed(engine: Named) -> str:
    return "unsetting DOCKER_HOST" if engine.by == "DOCKER_HOST" else "`docker context use default`"


def _destination(there: str) -> str:
    """``user@host:22`` as the command line of ssh takes it."""
    there = there.replace(":…@", "@")  # ssh asks for a password itself
    host, _, port = there.partition("/")[0].rpartition(":")
    return f"-p {port} {host}" if host and port.isdigit() else there.partition("/")[0]


def called(version: dict[str, Any], information: dict[str, Any]) -> str:
    """An engine's name, version and system by its answers to ``version`` and ``info``, as in ``Docker 27.2.0 on
    Docker Desktop``. Others that speak Docker's language say who they are among their components."""
    parts = [str(part.get("Name")) for part in version.get("Components") or []]
    name = next((part.removesuffix(" Engine") for part in parts if part.endswith(" Engine")), "Docker")
    system = information.get("OperatingSystem") or version.get("Os")
    machine = str(information.get("Name"))
    within = " in Colima" if re.fullmatch(r"colima(-.*)?", machine) else ""
    return one_line(f"{name} {version.get('Version')} on {system}{within}")[:200]


@contextmanager
def engine_errors() -> Iterator[None]:
    """The engine's refusals, and its silence, as one sentence."""
    try:
        yield
    except APIError as error:
        said = str(error.explanation or error)
        raise UserError(gpu.refusal(said) or f"The Docker engine refused: {said}") from error
    except requests.RequestException as error:
        raise UserError(f"The Docker engine does not answer any more ({error}); start it again.") from error


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, what it came from, and what it was made of (urllib3 wraps errors as arguments)."""
    yield error
    inner = [error.__cause__, error.__context__, *error.args, getattr(error, "reason", None)]
    for cause in inner:
        if isinstance(cause, BaseException) and cause is not error:
            yield from _causes(cause)
