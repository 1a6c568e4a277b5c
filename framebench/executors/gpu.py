"""This machine's GPUs by their UUIDs, and how an engine is asked for them: a device request, never all devices."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
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
    with opened() as nvml:
        driver, (uuids, lost) = str(nvml.nvmlSystemGetDriverVersion()), listed(nvml)
    silent = f"; {' and '.join(lost)}" if lost else ""
    mend = mend_of(silent) if lost else None
    if wished := os.environ.get(VISIBLE):
        uuids = [*_visible(uuids, wished, silent)]
    if len(uuids) < count:
        raise Unsupported(f"the case wants {count} GPUs, this machine has {len(uuids)}{silent}", mend)
    return Gpus(driver, uuids[:count])


@contextmanager
def opened() -> Iterator[Any]:
    """The driver's library, open; ``Unsupported`` where it does not start, or does not answer inside."""
    nvml, reason = nvml_starts()
    if nvml is None:
        raise Unsupported(
            f"the case wants a GPU, and this machine shows none: {reason}", mend_of(str(reason))
        )
    try:
        yield nvml
    except nvml.NVMLError as error:
        raise Unsupported(
            f"the case wants a GPU, and NVML does not list them: {error}", mend_of(str(error))
        ) from error
    finally:
        nvml.nvmlShutdown()


def lost() -> list[str]:
    """Each GPU of this machine that does not answer, and the driver's words: it is left out, the others are used."""
    nvml, _ = nvml_starts()
    if nvml is None:
        return []
    try:
        return listed(nvml)[1]
    except nvml.NVMLError:
        return []
    finally:
        nvml.nvmlShutdown()


MENDS = {
    "NVIDIA library": "install NVIDIA's driver (its package brings libnvidia-ml.so.1)",
    "version mismatch": "the driver was updated under the running kernel module: reboot, or unload and load it again",
    "Driver Not Loaded": "load the driver's kernel module (`sudo modprobe nvidia`), or reboot after installing it",
    "Insufficient Permissions": "let this user open /dev/nvidia* (groups `video` or `render`), or run as root",
    "GPU is lost": "reset it (`sudo nvidia-smi --gpu-reset -i NUMBER`), or reboot; `dmesg | grep Xid` says why",
    "requires restart": "reset it (`sudo nvidia-smi --gpu-reset -i NUMBER`), or reboot",
    "nvidia-ml-py": "make .venv anew (`make clean .venv`), which brings nvidia-ml-py",
}
"""By words of the cause, what helps; installing the driver is one of many."""


def mend_of(cause: str) -> str:
    """What helps against a driver that does not answer, by its own words."""
    known = (mend for words, mend in MENDS.items() if words in cause)
    return next(known, "`nvidia-smi` on this machine says more; what it cannot use, framebench cannot")


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


def listed(nvml: Any) -> tuple[list[str], list[str]]:
    """The UUIDs of the GPUs that answer, and of each other one its number and the driver's words."""
    uuids: list[str] = []
    silent: list[str] = []
    for number in range(nvml.nvmlDeviceGetCount()):
        try:
            uuids += uuids_of(nvml, nvml.nvmlDeviceGetHandleByIndex(number))
        except nvml.NVMLError as error:
            silent.append(f"GPU number {number} does not answer: {error}")
    return uuids, silent


def uuids_of(nvml: Any, whole: Any) -> list[str]:
    """The GPU's, or those of its instances where it is cut up."""
    try:
        cut_up = bool(nvml.nvmlDeviceGetMigMode(whole)[0])
    except nvml.NVMLError_NotSupported:  # a GPU that cannot be cut up
        cut_up = False
    if not cut_up:
        return [nvml.nvmlDeviceGetUUID(whole)]
    instances = []
    for place in range(nvml.nvmlDeviceGetMaxMigDeviceCount(whole)):
        try:
            instances.append(nvml.nvmlDeviceGetUUID(nvml.nvmlDeviceGetMigDeviceHandleByIndex(whole, place)))
        except nvml.NVMLError_NotFound:  # places may be empty
            continue
    return instances


def _visible(uuids: list[str], wished: str, silent: str) -> Iterator[str]:
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
                f"its GPUs are {', '.join(uuids) or 'none'}{silent}",
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
