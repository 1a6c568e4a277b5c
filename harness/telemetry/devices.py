"""Which GPUs a trial uses, and by which names NVML finds them. Never by index.

CUDA numbers GPUs by speed and honours ``CUDA_VISIBLE_DEVICES``; NVML numbers them by PCI address and does not.
So the CUDA driver, which every framework uses, is asked for UUIDs and PCI addresses, and NVML looks those up.
"""

from __future__ import annotations

import ctypes
import uuid
from typing import Any

NO_LIBRARY = "no NVIDIA library"

_PCI_TEXT = 32  # bytes; "00000000:17:00.0" needs 17


def cuda_devices(count: int) -> tuple[list[str], str | None]:
    """The first ``count`` GPUs of the CUDA driver, or a reason why there are none.

    One string per GPU: the names NVML may know it by, the most exact first, joined by commas. The driver tells
    a MIG instance's UUID without saying that it is one, so ``GPU-`` and ``MIG-`` are both given; the PCI
    address is for drivers that tell no UUID. No CUDA context is made.
    """
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return [], "no CUDA driver library"
    if status := cuda.cuInit(0):
        return [], f"the CUDA driver did not start (error {status})"
    found = ctypes.c_int()
    if status := cuda.cuDeviceGetCount(ctypes.byref(found)):
        return [], f"the CUDA driver did not count its devices (error {status})"
    if found.value < count:
        return [], f"the CUDA driver has {found.value} devices, the case asks for {count}"
    names = [_names(cuda, number) for number in range(count)]
    if not all(names):
        return [], "the CUDA driver tells neither UUID nor PCI address"
    return [",".join(of_one) for of_one in names], None


def _names(cuda: Any, number: int) -> list[str]:
    device = ctypes.c_int()
    if cuda.cuDeviceGet(ctypes.byref(device), number):
        return []
    names = []
    raw = (ctypes.c_ubyte * 16)()
    # without _v2 (CUDA < 11.4) an instance would be given its whole GPU's UUID
    if hasattr(cuda, "cuDeviceGetUuid_v2") and not cuda.cuDeviceGetUuid_v2(raw, device):
        text = str(uuid.UUID(bytes=bytes(raw)))
        names += [f"GPU-{text}", f"MIG-{text}"]
    address = ctypes.create_string_buffer(_PCI_TEXT)
    if not cuda.cuDeviceGetPCIBusId(address, _PCI_TEXT, device):
        names.append(address.value.decode())
    return names


def has_nvml_library() -> bool:
    """Whether the loader finds NVML; nothing is asked of it."""
    try:
        ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return False
    return True


def nvml_starts() -> tuple[Any, str | None]:
    """The module ``pynvml`` with NVML initialised, or ``None`` and the reason. Nothing here fails a trial."""
    try:
        import pynvml
    except ImportError:
        return None, "nvidia-ml-py is not installed"
    if not hasattr(pynvml, "nvmlDeviceGetFieldValues"):
        return None, "the installed module pynvml is not nvidia-ml-py's"
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError_LibraryNotFound:
        return None, NO_LIBRARY
    except pynvml.NVMLError as error:
        return None, f"NVML did not start: {error}"
    return pynvml, None


def nvml_handle(nvml: Any, names: str) -> Any:
    """NVML's handle of the GPU with one of these names; raises the last name's ``NVMLError``."""
    *exact, last = names.split(",")
    for name in exact:
        try:
            return _lookup(nvml, name)
        except (nvml.NVMLError_NotFound, nvml.NVMLError_InvalidArgument):
            continue
    return _lookup(nvml, last)


def _lookup(nvml: Any, name: str) -> Any:
    by_uuid = name.startswith(("GPU-", "MIG-"))
    return nvml.nvmlDeviceGetHandleByUUID(name) if by_uuid else nvml.nvmlDeviceGetHandleByPciBusId(name)


def memory_used(names: list[str]) -> tuple[int | None, str | None]:
    """Bytes in use on these GPUs, by whatever process; or null and the reason."""
    nvml, reason = nvml_starts()
    if nvml is None:
        return None, reason
    try:
        handles = [nvml_handle(nvml, name) for name in names]
        return sum(int(nvml.nvmlDeviceGetMemoryInfo(handle).used) for handle in handles), None
    except nvml.NVMLError as error:
        return None, f"NVML: {error}"
    finally:
        nvml.nvmlShutdown()
