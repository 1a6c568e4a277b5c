"""``nvmlDeviceGetFieldValues`` asked again and again: one array of fields, made once and filled anew by each call.

pynvml's own function makes the array and its entries at every call, which is most of what a tick costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.telemetry.nvml_metrics import FIELDS

_VALUE = ("dVal", "uiVal", "ulVal", "ullVal", "sllVal", "siVal", "usVal")  # by NVML's value type


class FieldValues:
    """Several fields of one GPU, by the metrics' names. Scope 0 is the GPU itself, not its module or memory."""

    def __init__(self, nvml: Any, device: Any, names: Sequence[str]) -> None:
        self.nvml = nvml
        self.device = device
        self.names = list(names)
        self.array = (nvml.c_nvmlFieldValue_t * len(self.names))()
        self.divisors = [FIELDS[name].divisor for name in self.names]
        for entry, name in zip(self.array, self.names, strict=True):
            entry.fieldId = FIELDS[name].number

    def read(self) -> list[tuple[str, int, float]]:
        """``(metric, NVML's return code, value)`` of each; raises ``NVMLError`` when all are refused at once."""
        nvml = self.nvml
        if not self.names:
            return []
        try:
            ask = nvml.nvmlLib.nvmlDeviceGetFieldValues
        except AttributeError:  # a driver before 2018
            raise nvml.NVMLError(nvml.NVML_ERROR_FUNCTION_NOT_FOUND) from None
        if code := ask(self.device, len(self.names), self.array):
            raise nvml.NVMLError(code)
        found = []
        for name, entry, divisor in zip(self.names, self.array, self.divisors, strict=True):
            value = getattr(entry.value, _VALUE[entry.valueType])
            found.append((name, entry.nvmlReturn, value if divisor == 1 else value / divisor))
        return found
