"""The processor of an engine's machine, which only somebody there can see: a look out of a container."""

from __future__ import annotations

import docker
import requests
from docker.errors import APIError, ContainerError, ImageNotFound

from framebench.executors.confinement import closed_in
from framebench.executors.machine import model_in


def ask_model(client: docker.DockerClient, image: str, memory_bytes: int) -> str | None:
    """Name of the processor as the kernel there gives it; null where the container could not look.

    It is closed in as a trial is, with ``memory_bytes`` of memory.
    """
    try:
        told = client.containers.run(
            image,
            entrypoint=["cat", "/proc/cpuinfo"],
            log_config={"type": "json-file"},  # the answer is read from there
            remove=True,
            **closed_in(memory_bytes),
        )
    except (APIError, ContainerError, ImageNotFound, requests.RequestException):
        return None
    return model_in(bytes(told).decode(errors="replace"))
