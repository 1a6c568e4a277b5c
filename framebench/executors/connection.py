"""The way to a Docker engine, and sentences for its refusals and its silence."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import docker
import requests
from docker.context import ContextAPI
from docker.context.config import get_current_context_name
from docker.errors import APIError, DockerException

from framebench.errors import UserError, one_line
from framebench.executors import gpu

DEFAULT_SOCKET = "unix:///var/run/docker.sock"


class NamedEngineAway(UserError):
    """The engine that the user named is elsewhere and cannot be used: nobody may take this machine in its place."""


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
        host = self.host.removeprefix("unix://")
        return f"{host} (named by {self.by})" if self.by else host


def named() -> Named:
    """As docker's own client finds it: ``DOCKER_HOST``, else the context in use, else the default socket."""
    if host := os.environ.get("DOCKER_HOST"):
        return Named(host, "DOCKER_HOST")
    context = os.environ.get("DOCKER_CONTEXT") or get_current_context_name()
    if context == "default":
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


def connect() -> docker.DockerClient:
    """A client of the engine that is ``named``.

    ``UserError`` says why there is none, with the mend; ``NamedEngineAway`` where that engine is elsewhere.
    """
    engine = named()
    refuse = NamedEngineAway if engine.elsewhere else UserError
    if engine.host.startswith("ssh://"):
        there = engine.host.removeprefix("ssh://").rstrip("/")
        raise refuse(
            f"The Docker engine at {engine} is reached by ssh, which framebench does not speak: forward its socket with"
            f" `ssh -nNT -L /tmp/engine.sock:/var/run/docker.sock {_destination(there)}` and set"
            " DOCKER_HOST=unix:///tmp/engine.sock."
        )
    try:
        client = docker.from_env()
        client.ping()
    except (DockerException, requests.RequestException, ValueError) as error:  # the last: no address at all
        causes = [*_causes(error)]
        if any(isinstance(cause, PermissionError) for cause in causes):
            raise UserError(
                f"No permission on the Docker socket {engine}; run `sudo usermod -aG docker $USER` and log in"
                " again."
            ) from None
        if engine.elsewhere:
            raise refuse(
                f"The Docker engine at {engine} cannot be used: {error}; start it there, or choose this machine by"
                f" {_unnamed(engine)} or `--executor venv`."
            ) from None
        if any(isinstance(cause, FileNotFoundError | ConnectionRefusedError) for cause in causes):
            how = "" if engine.is_a_context else " (`sudo systemctl start docker`, or `sudo dockerd`)"
            raise UserError(
                f"No Docker engine answers at {engine}; start it{how}, or use `--executor venv`."
            ) from None
        raise UserError(f"The Docker engine at {engine} cannot be used: {error}") from None
    return client


def _unnamed(engine: Named) -> str:
    return "unsetting DOCKER_HOST" if engine.by == "DOCKER_HOST" else "`docker context use default`"


def _destination(there: str) -> str:
    """``user@host:22`` as the command line of ssh takes it."""
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
