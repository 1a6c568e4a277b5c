"""Codes that a record may carry in ``flags``; the words are the pages' business."""

from __future__ import annotations

from collections.abc import Sequence

from harness.record import Calibration, GpuTelemetry, Hardware, SteadyClass, Telemetry, Timing, WarmUp

NOISY = "noisy_host"
UNRANKED = "noisy_host_unranked"
NOISE_UNKNOWN = "noise_unknown"
NOT_STEADY = "not_steady"
SLOWDOWN = "slowdown"
NO_STEADY_STATE = "no_steady_state"
DRIFTED = "machine_drifted"
CALL_OVERHEAD = "call_overhead"
BARRIER_OVERHEAD = "barrier_overhead"
NO_TELEMETRY = "no_telemetry"
SLOW_SAMPLER = "sampler_slowed"
GPU_LIMITED = "gpu_limited"
GPU_POWER_LIMITED = "gpu_power_limited"
GPU_SHARED = "gpu_shared"
GPU_UNSETTLED = "gpu_unsettled"
GPU_SHARE_UNKNOWN = "gpu_share_unknown"
STAND_IN = "gpu_stand_in"  # a driver of the tests, and no card
EMULATED = "emulated"
OWN_BUILD = "own_build"  # somebody's own wheel in place of a locked one
UNEQUAL_CORES = "unequal_cores"  # fast and slow ones together
ON_BATTERY = "on_battery"
SHAPE_UNCHECKED = "shape_unchecked"  # nobody computed what float64 says of this batch size

NOISY_ABOVE = 0.02
UNRANKED_ABOVE = 0.10
DRIFTED_ABOVE = 0.03
FULL_HZ = 10.0
NVIDIA = 0x10DE  # its number as a PCI vendor, which every card of its has
GPU_REST_ABOVE = 5.0  # per cent of time with a kernel running, while this trial rests

NOISE = (NOISY, UNRANKED, NOISE_UNKNOWN)


def noise(telemetry: Telemetry | None, cores: int) -> list[str]:
    """The flag that the host's noise during the timed window deserves, if any. ``cores`` are the host's.

    Of the time in which this process's threads wanted a core (c on one, w waiting for one), the part they
    waited because of others: ``min(w, o) / (w + c)``, where o is the CPU time that everybody else on the host
    used meanwhile. Threads of a framework that wait for each other are its own way of working and no noise; and
    nobody can have waited for others longer than they ran. Stolen and throttled time are added as shares of the
    window. Limits: DESIGN section 5.
    """
    metrics = telemetry.metrics if telemetry else {}
    delta = {name: metric.delta for name, metric in metrics.items()}
    waited, on_cpu = delta.get("run_queue_wait"), delta.get("on_cpu")
    busy, own = delta.get("host_busy"), delta.get("cpu_time")
    if telemetry is None or telemetry.window_ns == 0:  # the trial ended before its window
        return [NOISE_UNKNOWN]
    if waited is None or not on_cpu or busy is None or own is None:
        return [NOISE_UNKNOWN]
    share = min(waited, max(0.0, busy - own)) / (waited + on_cpu)
    share += (delta.get("steal") or 0.0) / (telemetry.window_ns * cores)
    share += (delta.get("cgroup_throttled") or 0.0) / telemetry.window_ns
    if share > UNRANKED_ABOVE:
        return [UNRANKED]
    return [NOISY] if share > NOISY_ABOVE else []


def emulation(hardware: Hardware) -> list[str]:
    """The flag of a program made for another kind of processor: what it measures is the emulator."""
    return [EMULATED] if hardware.emulated else []


def settling(timing: Timing | None) -> list[str]:
    """The flag of a GPU whose clock or temperature still moved when its blocks were timed."""
    found = timing.observer.settling if timing is not None and timing.observer is not None else None
    return [GPU_UNSETTLED] if found is not None and not found.settled else []


def stand_in(hardware: Hardware) -> list[str]:
    """The flag of a driver that stands in for one: what its devices say of themselves is no card of NVIDIA's."""
    told = [gpu.pci_device_id for gpu in hardware.gpus]
    return [STAND_IN] if any(pci and int(pci, 16) & 0xFFFF != NVIDIA for pci in told) else []


def pace(unequal_cores: bool | None, on_battery: bool | None) -> list[str]:
    """Flags of a machine whose pace depends on which core is met, or on its battery."""
    return [flag for flag, holds in ((UNEQUAL_CORES, unequal_cores), (ON_BATTERY, on_battery)) if holds]


def steadiness(warmup: WarmUp, steady_class: SteadyClass) -> list[str]:
    """Flags of a warm-up that ended at its limit, and of timed blocks that did not stay at one level."""
    found = [] if warmup.steady else [NOT_STEADY]
    classes = {"slowdown": SLOWDOWN, "no-steady-state": NO_STEADY_STATE}
    return [*found, classes[steady_class]] if steady_class in classes else found


def drift(calibration: Calibration | None) -> list[str]:
    """The flag of a machine that was faster or slower after the trial than before it."""
    drifted = calibration is not None and abs(calibration.drift) > DRIFTED_ABOVE
    return [DRIFTED] if drifted else []


# Causes by the samples' words and by the driver's counters
_LIMITED = (
    "thermally",
    "externally",
    "policy_thermal",
    "event_sw_thermal",
    "event_hw_thermal",
    "event_power_brake",
)
_POWER_LIMITED = ("power", "policy_power")


def gpu(telemetry: Telemetry) -> list[str]:
    """Flags that the trial's GPUs deserve. A power limit is normal at full load and no fault: a label."""
    found = []
    if any(_happened(gpu, _LIMITED) for gpu in telemetry.gpus):
        found.append(GPU_LIMITED)
    if any(_happened(gpu, _POWER_LIMITED) for gpu in telemetry.gpus):
        found.append(GPU_POWER_LIMITED)
    if any(
        (gpu.processes or 0) > 1 or (gpu.rest_utilization or 0.0) > GPU_REST_ABOVE for gpu in telemetry.gpus
    ):
        found.append(GPU_SHARED)
    elif any(gpu.processes is None and gpu.rest_utilization is None for gpu in telemetry.gpus):
        found.append(GPU_SHARE_UNKNOWN)
    return found


def _happened(gpu: GpuTelemetry, causes: Sequence[str]) -> bool:
    """Whether clocks were limited by any of these: in a sample, or by a counter that grew."""
    return any(gpu.limited_share.get(cause) or gpu.held_back_ns.get(cause) for cause in causes)
