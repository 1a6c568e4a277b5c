"""The metrics of an NVIDIA GPU: by which NVML call each is read, how often, and which values are possible.

``utilization`` is the share of time in which at least one kernel ran, not how much of the GPU it used; the
driver averages it over the past 1/6 to 1 s. ``power_average`` is a 1-s average, ``power_instant`` is not.
The ``policy_*`` and ``event_*`` counters are the ns for which clocks were held back, by cause.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from harness.telemetry.source import Capability

# Bounds that no board reaches: a reading outside is a fault of the library or the sensor
MAX_W = 3000.0
MAX_MHZ = 10_000.0
MAX_CELSIUS = 150.0

ENERGY = "energy"
PROCESSES = "processes"
XID = "xid_errors"

_SHARE = Capability("gauge", "share", low=0.0, high=1.0)
_PERCENT = Capability("gauge", "%", low=0.0, high=100.0, settle_s=1.0)
_POWER = Capability("gauge", "W", low=0.1, high=MAX_W)  # 0 W is what a sensor says that is not there
_CELSIUS = Capability("gauge", "°C", low=1.0, high=MAX_CELSIUS)
_CLOCK = Capability("gauge", "MHz", low=1.0, high=MAX_MHZ)
_HELD_BACK = Capability("counter", "ns", low=0.0, high=1e9)
_COUNT = Capability("counter", "", low=0.0)


class Field(NamedTuple):
    """One entry of ``nvmlDeviceGetFieldValues``: its number, and by what its value is to be divided."""

    number: int
    capability: Capability
    divisor: int = 1
    every_tick: bool = False


FIELDS = {
    "power_instant": Field(186, _POWER._replace(settle_s=0.2), 1000, every_tick=True),
    "power_average": Field(185, _POWER._replace(settle_s=1.0), 1000, every_tick=True),
    ENERGY: Field(83, Capability("counter", "J", low=0.0, high=MAX_W), 1000, every_tick=True),
    "memory_temperature": Field(82, _CELSIUS, every_tick=True),
    "policy_power": Field(74, _HELD_BACK, every_tick=True),
    "policy_thermal": Field(75, _HELD_BACK, every_tick=True),
    "policy_sync_boost": Field(76, _HELD_BACK),
    "policy_low_utilization": Field(78, _HELD_BACK),
    "event_sw_thermal": Field(269, _HELD_BACK),
    "event_hw_thermal": Field(270, _HELD_BACK),
    "event_power_brake": Field(271, _HELD_BACK),
}

Read = Callable[[Any, Any], dict[str, float]]


class Call(NamedTuple):
    """One NVML call, which reads one or more metrics; of several ways the first that works is kept."""

    metrics: dict[str, Capability]
    ways: tuple[Read, ...]
    when: Literal["tick", "tenth tick", "edge"]


def _utilization(nvml: Any, device: Any) -> dict[str, float]:
    rates = nvml.nvmlDeviceGetUtilizationRates(device)
    return {"utilization": rates.gpu, "memory_utilization": rates.memory}


def _sm_clock(nvml: Any, device: Any) -> dict[str, float]:
    return {"sm_clock": nvml.nvmlDeviceGetClockInfo(device, nvml.NVML_CLOCK_SM)}


def _memory_clock(nvml: Any, device: Any) -> dict[str, float]:
    return {"memory_clock": nvml.nvmlDeviceGetClockInfo(device, nvml.NVML_CLOCK_MEM)}


def _reasons(bits: int) -> dict[str, float]:
    """0 or 1 per kind of limit; over samples the mean is the share of time. Bit 0x1 (idle) is no limit."""
    return {
        "power_limited": int(bool(bits & 0x4)),
        "thermally_limited": int(bool(bits & 0x60)),
        "externally_limited": int(bool(bits & 0x88)),
    }


def _event_reasons(nvml: Any, device: Any) -> dict[str, float]:
    return _reasons(nvml.nvmlDeviceGetCurrentClocksEventReasons(device))


def _throttle_reasons(nvml: Any, device: Any) -> dict[str, float]:
    """The same under the name that drivers before 535 know."""
    return _reasons(nvml.nvmlDeviceGetCurrentClocksThrottleReasons(device))


def _memory(nvml: Any, device: Any) -> dict[str, float]:
    """Version 2 counts what the driver reserves apart."""
    memory = nvml.nvmlDeviceGetMemoryInfo(device, version=nvml.nvmlMemory_v2)
    return {"memory_used": memory.used, "memory_reserved": memory.reserved}


def _temperature(nvml: Any, device: Any) -> dict[str, float]:
    return {"temperature": nvml.nvmlDeviceGetTemperatureV(device, nvml.NVML_TEMPERATURE_GPU)}


def _temperature_before_v(nvml: Any, device: Any) -> dict[str, float]:
    return {"temperature": nvml.nvmlDeviceGetTemperature(device, nvml.NVML_TEMPERATURE_GPU)}


def _ecc(nvml: Any, device: Any) -> dict[str, float]:
    kinds = {
        "ecc_corrected": nvml.NVML_MEMORY_ERROR_TYPE_CORRECTED,
        "ecc_uncorrected": nvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED,
    }
    return {
        name: nvml.nvmlDeviceGetTotalEccErrors(device, kind, nvml.NVML_VOLATILE_ECC)
        for name, kind in kinds.items()
    }


def _processes(nvml: Any, device: Any) -> dict[str, float]:
    """A count only: the driver's process numbers are the host's, no container can match them. Slow (ms)."""
    return {PROCESSES: len(nvml.nvmlDeviceGetComputeRunningProcesses_v3(device))}


def _processes_before_v3(nvml: Any, device: Any) -> dict[str, float]:
    return {PROCESSES: len(nvml.nvmlDeviceGetComputeRunningProcesses_v2(device))}


CALLS = (
    Call({"utilization": _PERCENT, "memory_utilization": _PERCENT}, (_utilization,), "tick"),
    Call({"sm_clock": _CLOCK}, (_sm_clock,), "tick"),
    Call(
        {"power_limited": _SHARE, "thermally_limited": _SHARE, "externally_limited": _SHARE},
        (_event_reasons, _throttle_reasons),
        "tick",
    ),
    Call(
        {
            name: Capability("gauge", "B", low=0.0, high=2.0**50)
            for name in ("memory_used", "memory_reserved")
        },
        (_memory,),
        "tenth tick",
    ),
    Call({"temperature": _CELSIUS}, (_temperature, _temperature_before_v), "tenth tick"),
    Call({"memory_clock": _CLOCK}, (_memory_clock,), "tenth tick"),
    Call({"ecc_corrected": _COUNT, "ecc_uncorrected": _COUNT}, (_ecc,), "edge"),
    Call({PROCESSES: Capability("gauge", "", low=0.0)}, (_processes, _processes_before_v3), "edge"),
)
