"""This machine's GPUs by their UUIDs, and how an engine is asked for them: a device request, never all devices."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, NamedTuple

from docker.types import DeviceRequest

from framebench.executors import Unavailable
from harness.frameworks import Unsupported
from harness.telemetry.devices import nvml_starts

CAPABILITIES = ("compute", "utility")
"""What of the driver is put into the container: CUDA and NVML. No graphics, video or display."""
VISIBLE = "CUDA_VISIBLE_DEVICES"
"""The variable that hides GPUs from CUDA; empty in a case for the CPU."""
CDI_KIND = "nvidia.com/gpu"


class Gpus(NamedTuple):
    driver: str  # version, e.g. 580.65.06
    uuids: list[str]  # of whole GPUs, or of the instances of those that are cut up (MIG)


def choose(count: int) -> Gpus:
    """The first ``count`` GPUs in the order of their PCI addresses, or of those ``CUDA_VISIBLE_DEVICES`` names.

    Always the same ones, so that all contenders meet on them. ``Unsupported`` when there are not so many.
    """
    nvml, reason = nvml_starts()
    if nvml is None:
        raise Unsupported(
            f"the case wants a GPU, and this machine shows none: {reason}", "install the driver"
        )
    try:
        driver, uuids = str(nvml.nvmlSystemGetDriverVersion()), [*_uuids(nvml)]
    except nvml.NVMLError as error:
        raise Unsupported(f"the case wants a GPU, and NVML does not list them: {error}") from error
    finally:
        nvml.nvmlShutdown()
    if wished := os.environ.get(VISIBLE):
        uuids = [*_visible(uuids, wished)]
    if len(uuids) < count:
        raise Unsupported(f"the case wants {count} GPUs, this machine has {len(uuids)}")
    return Gpus(driver, uuids[:count])


def refusal_of(count: int) -> Unavailable | None:
    """Why this machine has no ``count`` GPUs for a case; null if it has them."""
    try:
        choose(count)
    except Unsupported as reason:
        return Unavailable(reason.reason, reason.mend)
    return None


def driver() -> str | None:
    """Version of the NVIDIA driver, e.g. 580.65.06; null without a GPU that can be used."""
    try:
        return choose(1).driver
    except Unsupported:
        return None


def _uuids(nvml: Any) -> Iterator[str]:
    for number in range(nvml.nvmlDeviceGetCount()):
        whole = nvml.nvmlDeviceGetHandleByIndex(number)
        try:
            cut_up = bool(nvml.nvmlDeviceGetMigMode(whole)[0])
        except nvml.NVMLError:  # a GPU that cannot be cut up
            cut_up = False
        if not cut_up:
            yield nvml.nvmlDeviceGetUUID(whole)
            continue
        for place in range(nvml.nvmlDeviceGetMaxMigDeviceCount(whole)):
            try:
                yield nvml.nvmlDeviceGetUUID(nvml.nvmlDeviceGetMigDeviceHandleByIndex(whole, place))
            except nvml.NVMLError_NotFound:  # places may be empty
                continue


def _visible(uuids: list[str], wished: str) -> Iterator[str]:
    """The UUIDs that the variable names, also by their beginnings, in its order."""
    for name in wished.split(","):
        if not name.startswith(("GPU-", "MIG-")):
            raise Unsupported(
                f"CUDA_VISIBLE_DEVICES={wished} names GPUs by number, which CUDA and the driver count differently",
                "name them by UUID (nvidia-smi -L lists them), or unset the variable",
            )
        matches = [uuid for uuid in uuids if uuid.startswith(name)]
        if len(matches) != 1:
            raise Unsupported(
                f"CUDA_VISIBLE_DEVICES names {name}, and {len(matches) or 'none'} of this machine's GPUs is called so",
                f"its GPUs are {', '.join(uuids) or 'none'}",
            )
        yield matches[0]


def cdi_names(uuids: list[str]) -> list[str]:
    """The GPUs as the Container Device Interface calls them."""
    return [f"{CDI_KIND}={uuid}" for uuid in uuids]


def device_request(uuids: list[str], discovered: list[dict[str, str]] | None) -> DeviceRequest:
    """The request for exactly these GPUs: by CDI if the engine says that it has found them there, else as ``--gpus``.

    ``discovered`` is the engine's ``DiscoveredDevices`` (Docker 28.2 and later). A CDI specification was written
    for certain capabilities; with ``--gpus`` they are in the request.
    """
    names = cdi_names(uuids)
    if {*names} <= {device["ID"] for device in discovered or []}:
        return DeviceRequest(driver="cdi", device_ids=names)
    return DeviceRequest(driver="nvidia", device_ids=uuids, capabilities=[["gpu", *CAPABILITIES]])


def refusal(said: str) -> str | None:
    """The engine's words about a GPU it cannot hand out, as a sentence with the mend; null if about something else."""
    if "could not select device driver" in said:
        return (
            f"The Docker engine cannot hand out GPUs ({said}); install NVIDIA's container toolkit (package"
            " nvidia-container-toolkit), run `sudo nvidia-ctk runtime configure --runtime=docker`, and restart it."
        )
    if "CDI device" in said:
        return (
            f"The Docker engine did not find the GPU's CDI specification ({said}); write it again:"
            " `sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml`."
        )
    return None
