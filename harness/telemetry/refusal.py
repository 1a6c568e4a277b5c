"""What NVML's refusals mean: a metric that is not to be had, or a GPU that is gone."""

from __future__ import annotations

from typing import Any

from harness.telemetry.source import Support

GONE = (15, 16)  # GPU is lost, reset required
UNKNOWN = 999  # at a probe some driver's way to refuse; in the middle of a run the device cannot be trusted

_WORDS: dict[int, Support] = {3: "not supported", 4: "no permission", 13: "function not found"}


class GpuLost(Exception):
    """The device fell off the bus, or needs a reset. The message is the driver's."""


def refusal(error: Any) -> tuple[Support, str]:
    """A probe's answer: the kind of refusal and the driver's words. ``GpuLost`` when the device is gone."""
    if error.value in GONE:
        raise GpuLost(str(error))
    return _WORDS.get(error.value, "failed"), str(error)


def raise_if_lost(error: Any) -> None:
    """``GpuLost`` for the answers that end a run which went well so far."""
    if error.value in (*GONE, UNKNOWN):
        raise GpuLost(str(error))
