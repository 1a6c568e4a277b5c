"""Whose a container is, by its labels; and the end of those that a killed run left behind."""

from __future__ import annotations

import hashlib
import socket
from http import HTTPStatus
from pathlib import Path

import docker
import psutil
from docker.errors import APIError, NotFound
from docker.models.containers import Container

LABEL = "org.framebench"
ROOT_LABEL = "org.framebench.root"
OWNER_LABEL = "org.framebench.owner"


def ours(root: Path) -> dict[str, str]:
    """Labels of a container of this process, which runs a trial for the clone ``root``."""
    return {LABEL: "1", ROOT_LABEL: root_label(root), OWNER_LABEL: _owner()}


def root_label(root: Path) -> str:
    return hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:12]


def remove(container: Container) -> None:
    """Remove it, whatever it does; nothing where it is gone already, or going."""
    try:
        container.remove(force=True, v=True)  # v: anonymous volumes; the named cache stays
    except NotFound:
        return
    except APIError as error:
        if error.status_code != HTTPStatus.CONFLICT:  # a removal that took too long goes on
            raise


def remove_left_behind(client: docker.DockerClient, root: Path) -> None:
    """Remove the containers that a killed run of this clone left, never those of one that still runs."""
    for container in client.containers.list(all=True, filters={"label": f"{ROOT_LABEL}={root_label(root)}"}):
        host, pid, started = container.labels[OWNER_LABEL].split(":")
        if host == socket.gethostname() and not _lives(int(pid), started):
            remove(container)


def _owner() -> str:
    """This process: host name, process number and its start time, which a later process cannot share."""
    process = psutil.Process()
    return f"{socket.gethostname()}:{process.pid}:{process.create_time():.2f}"


def _lives(pid: int, started: str) -> bool:
    try:
        return f"{psutil.Process(pid).create_time():.2f}" == started
    except psutil.NoSuchProcess:
        return False
