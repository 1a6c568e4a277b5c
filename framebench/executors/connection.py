"""The way to a Docker engine, and sentences for its refusals and its silence."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import docker
import requests
from docker.errors import APIError, DockerException

from framebench.errors import UserError
from framebench.executors import gpu


def connect() -> docker.DockerClient:
    """A client of the engine that ``DOCKER_HOST`` or the default socket names.

    ``UserError`` says why there is none, with the mend.
    """
    try:
        client = docker.from_env()
        client.ping()
    except (DockerException, requests.RequestException) as error:
        where = os.environ.get("DOCKER_HOST", "/var/run/docker.sock")
        causes = [*_causes(error)]
        if any(isinstance(cause, PermissionError) for cause in causes):
            raise UserError(
                f"No permission on the Docker socket {where}; run `sudo usermod -aG docker $USER` and log in"
                " again."
            ) from None
        if any(isinstance(cause, FileNotFoundError | ConnectionRefusedError) for cause in causes):
            raise UserError(
                f"No Docker engine answers at {where}; start it (`sudo systemctl start docker`, or"
                " `sudo dockerd`), or use `--executor venv`."
            ) from None
        raise UserError(f"The Docker engine at {where} cannot be used: {error}") from None
    return client


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
