"""A GPU before it is timed: blocks until its clock and its temperature have stopped moving.

The warm-up ends when the time of a step agrees with itself. A card may still be heating then: it lowers its clock by
some per cent a minute later, in the middle of the timed blocks. It is asked here, in the phase of the observer and
after the warm-up, so that what is timed, and with it the work hash, knows nothing of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import fmean
from typing import Any

from harness.record import Settling
from harness.telemetry.recorder import Telemetry

WINDOW_S = 2.0
CLOCK_APART = 0.005  # of two windows' mean SM clocks, as a part of one
DEGREES_APART = 0.5  # readings are whole degrees, two in a window
LONGEST_S = 60.0


def settle(measure: Callable[[], Any], telemetry: Telemetry, limit_s: float = LONGEST_S) -> Settling | None:
    """``measure`` in windows of telemetry until two neighbours agree, ``limit_s`` at most.

    Null without a GPU, or where its driver tells neither a clock nor a temperature.
    """
    start = time.monotonic_ns()
    before: dict[str, float] = {}
    windows = 0
    while telemetry.gpus:
        with telemetry.window("settling"):
            end = time.monotonic() + WINDOW_S
            while time.monotonic() < end:
                measure()
        windows += 1
        now = _levels(telemetry)
        if not now:
            return None
        settled = bool(before) and all(
            _agree(name, before[name], now[name]) for name in now.keys() & before.keys()
        )
        elapsed_ns = time.monotonic_ns() - start
        if settled or elapsed_ns >= limit_s * 1e9:
            return Settling(windows=windows, wall_ns=elapsed_ns, settled=settled)
        before = now
    return None


def _agree(name: str, before: float, now: float) -> bool:
    apart = abs(now - before)
    return apart <= (CLOCK_APART * before if name.endswith("sm_clock") else DEGREES_APART)


def _levels(telemetry: Telemetry) -> dict[str, float]:
    """Mean SM clock and temperature of each GPU over the last window, by number and name; what was not read is not
    there."""
    window = telemetry.windows["settling"]
    levels = {}
    for source in range(1, len(telemetry.gpus) + 1):
        for name in ("sm_clock", "temperature"):
            how = telemetry.capabilities[source].get(name)
            if how is not None and how.support == "ok":
                readings, _ = window.readings(source, name, how)
                if readings:
                    levels[f"{source} {name}"] = fmean(value for _, value in readings)
    return levels
