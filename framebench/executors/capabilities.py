"""What this machine is, and what its telemetry can watch, or why not."""

from __future__ import annotations

import os

from harness import cores, environment
from harness.record import Hardware
from harness.telemetry.cpu import CpuSource
from harness.telemetry.devices import nvml_starts
from harness.telemetry.nvml import NvmlSource
from harness.telemetry.source import Capability

__all__ = ["Capability", "gpus", "hardware", "on_battery", "processor", "unequal_cores"]


def hardware() -> Hardware:
    """Processor, memory, governor and virtualisation, as a trial would record them."""
    return environment.hardware()


def unequal_cores() -> bool | None:
    """Whether the cores that trials may use are of two speeds; null = unknown."""
    return environment.unequal_cores(cores.pinned_to())


def on_battery() -> bool | None:
    """Whether this machine runs on its battery; null where it has none, or does not tell."""
    return environment.on_battery()


def processor() -> dict[str, Capability]:
    """Each metric of the processor, and whether it can be read."""
    return CpuSource(os.getpid()).probe()


def gpus() -> dict[str, dict[str, Capability] | str] | str:
    """Each metric of each GPU by the GPU's name, or why that one cannot be read; why none can, in words."""
    nvml, reason = nvml_starts()
    if nvml is None:
        return f"{reason}; timing is not affected"
    watched: dict[str, dict[str, Capability] | str] = {}
    try:
        for number in range(nvml.nvmlDeviceGetCount()):
            try:
                device = nvml.nvmlDeviceGetHandleByIndex(number)
                name = nvml.nvmlDeviceGetName(device)
                watched[name if name not in watched else f"{name}, number {number}"] = NvmlSource(
                    nvml, device
                ).probe()
            except nvml.NVMLError as error:
                watched[f"GPU number {number}"] = str(error)
        return watched
    except nvml.NVMLError as error:
        return str(error)
    finally:
        nvml.nvmlShutdown()
