"""The processor of an engine's machine, which only somebody there can see: a look out of a container."""

from __future__ import annotations

import docker
import requests
from docker.errors import APIError, ContainerError, ImageNotFound

from framebench.executors.machine import model_in


def ask_model(client: docker.DockerClient, image: str) -> str | None:
    """Name of the processor as the kernel there gives it; null where the container could not look."""
    try:
        told = client.containers.run(
            image,
            entrypoint=["cat", "/proc/cpuinfo"],
            network_mode="none",
            read_only=True,
            cap_drop=["ALL"],
            log_config={"type": "json-file"},  # the answer is read from there
            remove=True,
        )
    except (APIError, ContainerError, ImageNotFound, requests.RequestException):
        return None
    return model_in(bytes(told).decode(errors="replace"))
