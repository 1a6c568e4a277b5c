"""An NVIDIA GPU's metrics through NVML; each is asked once, and left alone where the driver refuses it.

``utilization`` is the share of time in which at least one kernel ran, not how much of the GPU it used.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.telemetry.source import Capability, Support

UNITS = {
    "gpu_utilization": ("gauge", "%"),
    "gpu_memory": ("gauge", "B"),
    "gpu_power": ("gauge", "W"),
    "gpu_sm_clock": ("gauge", "MHz"),
    "gpu_temperature": ("gauge", "°C"),
    "gpu_energy": ("counter", "J"),
}


class NvmlSource:
    """The first GPU that NVML lists (or the one with ``uuid``)."""

    def __init__(self, uuid: str | None = None) -> None:
        self.uuid = uuid
        self.readers: dict[str, Callable[[], float]] = {}

    def probe(self) -> dict[str, Capability]:
        try:
            import pynvml
        except ImportError:
            return _all("not supported", "nvidia-ml-py is not installed")
        try:
            pynvml.nvmlInit()
            device = (
                pynvml.nvmlDeviceGetHandleByUUID(self.uuid)
                if self.uuid
                else pynvml.nvmlDeviceGetHandleByIndex(0)
            )
        except pynvml.NVMLError as error:
            missing = isinstance(error, pynvml.NVMLError_LibraryNotFound)
            return _all("not supported", "no NVIDIA library" if missing else str(error))
        readers = _readers(pynvml, device)
        found = {}
        for name, read in readers.items():
            kind, unit = UNITS[name]
            support, reason = _ask(pynvml, read)
            found[name] = Capability(kind, unit, support, reason)  # type: ignore[arg-type]
            if support == "ok":
                self.readers[name] = read
        return found

    def tick(self) -> dict[str, float]:
        return {name: read() for name, read in self.readers.items()}

    def edge(self) -> dict[str, float]:
        return self.tick()


def _readers(nvml: Any, device: Any) -> dict[str, Callable[[], float]]:
    """One function per metric, each at most one NVML call."""
    return {
        "gpu_utilization": lambda: nvml.nvmlDeviceGetUtilizationRates(device).gpu,
        "gpu_memory": lambda: nvml.nvmlDeviceGetMemoryInfo(device, version=nvml.nvmlMemory_v2).used,
        "gpu_power": lambda: nvml.nvmlDeviceGetPowerUsage(device) / 1e3,
        "gpu_sm_clock": lambda: nvml.nvmlDeviceGetClockInfo(device, nvml.NVML_CLOCK_SM),
        "gpu_temperature": lambda: nvml.nvmlDeviceGetTemperature(device, nvml.NVML_TEMPERATURE_GPU),
        "gpu_energy": lambda: nvml.nvmlDeviceGetTotalEnergyConsumption(device) / 1e3,
    }


def _ask(nvml: Any, read: Callable[[], float]) -> tuple[Support, str | None]:
    """What the driver says to one reading."""
    try:
        read()
    except nvml.NVMLError_NotSupported as error:
        return "not supported", str(error)
    except nvml.NVMLError_NoPermission as error:
        return "no permission", str(error)
    except nvml.NVMLError_FunctionNotFound as error:
        return "function not found", str(error)
    except nvml.NVMLError as error:
        return "failed", str(error)
    return "ok", None


def _all(support: Support, reason: str) -> dict[str, Capability]:
    return {
        name: Capability(kind, unit, support, reason)  # type: ignore[arg-type]
        for name, (kind, unit) in UNITS.items()
    }
