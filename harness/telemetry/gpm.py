"""GPM (Hopper and newer): what the GPU's parts did between two samples, averaged by the hardware itself.

Two samples at a window's edges give the whole window, with nothing polled in between.
"""

from __future__ import annotations

import time
from typing import Any

from harness.telemetry.refusal import refusal
from harness.telemetry.source import Capability, Support

MIN_GAP_S = 0.11  # NVML asks for more than 100 ms between two samples
MAX_MIB_PER_S = 8e6  # faster than any link

# metric -> (NVML's number, unit)
METRICS = {
    "gpm_graphics": (1, "%"),
    "gpm_sm": (2, "%"),
    "gpm_sm_occupancy": (3, "%"),
    "gpm_tensor": (5, "%"),
    "gpm_hmma": (7, "%"),
    "gpm_dram": (10, "%"),
    "gpm_fp64": (11, "%"),
    "gpm_fp32": (12, "%"),
    "gpm_fp16": (13, "%"),
    "gpm_pcie_tx": (20, "MiB/s"),
    "gpm_pcie_rx": (21, "MiB/s"),
    "gpm_nvlink_rx": (60, "MiB/s"),
    "gpm_nvlink_tx": (61, "MiB/s"),
}


class Gpm:
    """Sampler of one GPU or one MIG instance.

    ``device`` is a whole GPU's handle, ``instance`` the number of a GPU instance on it, if it is about one.
    """

    def __init__(self, nvml: Any, device: Any, instance: int | None) -> None:
        self.nvml = nvml
        self.device = device
        self.instance = instance
        self.samples: list[tuple[float, Any]] = []

    def probe(self) -> dict[str, Capability]:
        """Each metric's support, from two samples 0.11 s apart."""
        nvml = self.nvml
        try:
            if not nvml.nvmlGpmQueryDeviceSupport(self.device).isSupportedDevice:
                return _all("not supported", "this GPU has no GPM (Hopper or newer)")
            self.take()
            time.sleep(MIN_GAP_S)
            self.take()
            answers = self._metrics(list(METRICS))
        except nvml.NVMLError as error:
            return _all(*refusal(error))
        found = {}
        for name, (code, _) in answers.items():
            found[name] = _capability(name, "ok", None)
            if code != nvml.NVML_SUCCESS:
                found[name] = _capability(name, *refusal(nvml.NVMLError(code)))
        return found

    def take(self) -> None:
        """One sample now; the last two are kept."""
        nvml = self.nvml
        sample = nvml.nvmlGpmSampleAlloc()
        try:
            if self.instance is None:
                nvml.nvmlGpmSampleGet(self.device, sample)
            else:
                nvml.nvmlGpmMigSampleGet(self.device, self.instance, sample)
        except nvml.NVMLError:
            nvml.nvmlGpmSampleFree(sample)
            raise
        self.samples.append((time.monotonic(), sample))
        for _, old in self.samples[:-2]:
            nvml.nvmlGpmSampleFree(old)
        del self.samples[:-2]

    def values(self, names: list[str]) -> tuple[dict[str, float], dict[str, str]]:
        """``names`` between the last two samples, and a reason for each that is missing."""
        if len(self.samples) < 2 or self.samples[1][0] - self.samples[0][0] < MIN_GAP_S:
            return {}, dict.fromkeys(names, "the window is shorter than GPM's 100 ms")
        found, missing = {}, {}
        for name, (code, value) in self._metrics(names).items():
            if code == self.nvml.NVML_SUCCESS:
                found[name] = value
            else:
                missing[name] = str(self.nvml.NVMLError(code))
        return found, missing

    def _metrics(self, names: list[str]) -> dict[str, tuple[int, float]]:
        """``{metric: (NVML's return code, value)}``."""
        nvml = self.nvml
        wanted = nvml.c_nvmlGpmMetricsGet_t()
        wanted.version = nvml.NVML_GPM_METRICS_GET_VERSION
        wanted.numMetrics = len(names)
        wanted.sample1, wanted.sample2 = (sample for _, sample in self.samples)
        for slot, name in zip(wanted.metrics, names, strict=False):
            slot.metricId = METRICS[name][0]
        nvml.nvmlGpmMetricsGet(wanted)
        slots = zip(names, wanted.metrics, strict=False)
        return {name: (int(slot.nvmlReturn), float(slot.value)) for name, slot in slots}


def _capability(name: str, support: Support, reason: str | None) -> Capability:
    unit = METRICS[name][1]
    return Capability("window", unit, support, reason, 0.0, 100.0 if unit == "%" else MAX_MIB_PER_S)


def _all(support: Support, reason: str | None) -> dict[str, Capability]:
    return {name: _capability(name, support, reason) for name in METRICS}
