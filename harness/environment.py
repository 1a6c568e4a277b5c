"""The machine and the software as the trial sees them: one small function per fact, ``None`` = unknown."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import psutil

from harness.cores import cores_allowed
from harness.frameworks import Stack
from harness.record import Gpu, Hardware, ImageRef, Software
from harness.telemetry.devices import nvml_starts
from harness.telemetry.proc import names, read

UNEQUAL_ABOVE = 1.15
EMULATED_VARIABLE = "FRAMEBENCH_EMULATED"


def software(stack: Stack, image: ImageRef) -> Software:
    """Versions read at run time inside this process."""
    packages = stack.versions()
    family, backend = stack.info.framework, stack.info.backend
    return Software(
        python=platform.python_version(),
        numpy=np.__version__,
        framework=packages.get(family),
        backend=f"{backend} {packages.get(backend, '')}".strip() if backend else None,
        packages={**packages, "msgspec": msgspec.__version__, "psutil": psutil.__version__},
        cuda=packages.get("cuda"),
        cudnn=packages.get("cudnn"),
        driver=driver(),
        compiler=image.compiler or compiler(),
    )


def hardware() -> Hardware:
    """The machine."""
    return Hardware(
        cpu_model=cpu_model(),
        architecture=platform.machine(),
        emulated=emulated(),
        cores_allowed=cores_allowed(),
        cores_online=cores_online(),
        ram_bytes=psutil.virtual_memory().total,
        governor=_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        turbo=turbo(),
        smt={"1": True, "0": False}.get(_line("/sys/devices/system/cpu/smt/active") or ""),
        virtualisation=virtualisation(),
        kernel=platform.release(),
        cgroup=cgroup(),
        gpus=gpus(),
    )


def _line(path: str) -> str | None:
    """First line of a small file; ``None`` when it is absent or empty."""
    return (read(path) or "").strip().partition("\n")[0] or None


def _cpuinfo(*names: str) -> str | None:
    """The first of these fields of /proc/cpuinfo that is there."""
    rows = [row.partition(":") for row in (read("/proc/cpuinfo") or "").splitlines()]
    fields = {name.strip(): value.strip() for name, _, value in reversed(rows)}
    return next((fields[name] for name in names if fields.get(name)), None)


def cpu_model() -> str | None:
    return _cpuinfo("model name", "Model", "Hardware")


def max_clock_hz() -> float | None:
    """Highest clock the kernel knows for core 0; a virtual machine seldom tells."""
    kilohertz = _line("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq")
    return float(kilohertz) * 1e3 if kilohertz else None


def core_speeds(numbers: Iterable[int]) -> dict[int, float] | None:
    """How fast each of these cores may run, relative to the others: what the kernel calls capacity, else the highest
    clock; null where it tells neither of all of them."""
    cores = list(numbers)
    for fact in ("cpu_capacity", "cpufreq/cpuinfo_max_freq"):
        told = {core: _line(f"/sys/devices/system/cpu/cpu{core}/{fact}") for core in cores}
        if cores and all(told.values()):
            return {core: float(value or 0) for core, value in told.items()}
    return None


def unequal_cores(numbers: Iterable[int]) -> bool | None:
    """Whether these cores are of two kinds, fast and slow; null = unknown. One kind's best cores may clock a few per
    cent higher than the others."""
    speeds = core_speeds(numbers)
    return None if speeds is None else max(speeds.values()) > UNEQUAL_ABOVE * min(speeds.values())


def on_battery() -> bool | None:
    """Whether the machine runs on its battery; null where it has none, or does not tell."""
    supplies = [f"/sys/class/power_supply/{name}" for name in names("/sys/class/power_supply")]
    kinds = {supply: _line(f"{supply}/type") for supply in supplies}
    own = [supply for supply in supplies if _line(f"{supply}/scope") != "Device"]  # not a mouse's
    if not any(kinds[supply] == "Battery" for supply in own):
        return None
    outside = [supply for supply in own if kinds[supply] in ("Mains", "USB")]
    if outside:
        return not any(_line(f"{supply}/online") == "1" for supply in outside)
    return any(_line(f"{supply}/status") == "Discharging" for supply in own)


def emulated() -> bool | None:
    """Whether a processor of another kind is imitated; null where nothing tells.

    An emulator may hide itself well, so a host that sees the image and the machine says so in a variable. Without it:
    an ARM program that reads an x86 vendor in /proc/cpuinfo runs under user-mode emulation.
    """
    if os.environ.get(EMULATED_VARIABLE):
        return True
    if read("/proc/cpuinfo") is None:
        return None
    x86_machine = platform.machine() in ("x86_64", "i686", "AMD64")
    return (_cpuinfo("vendor_id") in ("GenuineIntel", "AuthenticAMD")) != x86_machine


def cores_online() -> int:
    """Cores of the machine, whoever may use them."""
    return os.cpu_count() or 1


def turbo() -> bool | None:
    no_turbo = _line("/sys/devices/system/cpu/intel_pstate/no_turbo")
    if no_turbo is not None:
        return no_turbo == "0"
    boost = _line("/sys/devices/system/cpu/cpufreq/boost")
    return None if boost is None else boost == "1"


def virtualisation() -> str | None:
    """The maker's name for a virtual machine, ``virtual machine`` without one, ``none`` on bare metal."""
    flags = (_cpuinfo("flags") or "").split()
    if not flags:
        return None
    if "hypervisor" not in flags:
        return "none"
    return _line("/sys/class/dmi/id/product_name") or _line("/sys/hypervisor/type") or "virtual machine"


def cgroup() -> str | None:
    if Path("/sys/fs/cgroup/cgroup.controllers").exists():
        return "v2"
    return "v1" if Path("/sys/fs/cgroup").exists() else None


def compiler() -> str | None:
    """First line of the C++ compiler's ``--version``."""
    found = shutil.which(os.environ.get("CXX", "g++"))
    if found is None:
        return None
    try:
        answer = subprocess.run([found, "--version"], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.partition("\n")[0] or None


def driver() -> str | None:
    """Version of the NVIDIA driver: the kernel module's, or what NVML says of it."""
    if version := _line("/sys/module/nvidia/version"):
        return version
    nvml, _ = nvml_starts()
    if nvml is None:
        return None
    try:
        return str(nvml.nvmlSystemGetDriverVersion())
    except nvml.NVMLError:
        return None
    finally:
        nvml.nvmlShutdown()


def gpus() -> list[Gpu]:
    """Every NVIDIA GPU of the machine that answers, in the order of their PCI addresses."""
    nvml, _ = nvml_starts()
    if nvml is None:
        return []
    answering = []
    try:
        for number in range(nvml.nvmlDeviceGetCount()):
            with contextlib.suppress(nvml.NVMLError):  # a GPU that is lost
                answering.append(_gpu(nvml, nvml.nvmlDeviceGetHandleByIndex(number)))
    except nvml.NVMLError:
        return []
    finally:
        nvml.nvmlShutdown()
    return answering


def _gpu(nvml: Any, handle: Any) -> Gpu:
    def told(ask: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return ask(handle, *arguments)
        except nvml.NVMLError:
            return None

    def hashed(device: Any) -> str:
        return hashlib.sha256(nvml.nvmlDeviceGetUUID(device).encode()).hexdigest()

    memory, pci = told(nvml.nvmlDeviceGetMemoryInfo), told(nvml.nvmlDeviceGetPciInfo)
    limit, mig = told(nvml.nvmlDeviceGetEnforcedPowerLimit), told(nvml.nvmlDeviceGetMigMode)
    default_limit = told(nvml.nvmlDeviceGetPowerManagementDefaultLimit)
    capability = told(nvml.nvmlDeviceGetCudaComputeCapability)
    persistence, ecc = told(nvml.nvmlDeviceGetPersistenceMode), told(nvml.nvmlDeviceGetEccMode)
    cut = None if mig is None else bool(mig[0])
    instances = (
        told(nvml.nvmlDeviceGetMigDeviceHandleByIndex, number)
        for number in range((told(nvml.nvmlDeviceGetMaxMigDeviceCount) or 0) if cut else 0)
    )
    return Gpu(
        name=told(nvml.nvmlDeviceGetName),
        uuid_sha256=hashed(handle),
        pci_device_id=None if pci is None else f"0x{pci.pciDeviceId:08x}",
        memory_bytes=None if memory is None else int(memory.total),
        power_limit_w=None if limit is None else limit / 1000,
        default_power_limit_w=None if default_limit is None else default_limit / 1000,
        capability=None if capability is None else "{}.{}".format(*capability),
        persistence=None if persistence is None else bool(persistence),
        ecc=None if ecc is None else bool(ecc[0]),
        max_sm_clock_mhz=told(nvml.nvmlDeviceGetMaxClockInfo, nvml.NVML_CLOCK_SM),
        max_memory_clock_mhz=told(nvml.nvmlDeviceGetMaxClockInfo, nvml.NVML_CLOCK_MEM),
        mig=cut,
        mig_uuid_sha256=[hashed(instance) for instance in instances if instance is not None] if cut else None,
    )
