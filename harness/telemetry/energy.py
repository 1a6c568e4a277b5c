"""Energy of one GPU over the timed steps: by the driver's counter where there is one, else by instant power.

A 1-s average is never integrated: over short windows it is off by what happened before them.
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec.structs import replace

from harness.record import Energy
from harness.telemetry.nvml_metrics import ENERGY, MAX_W
from harness.telemetry.source import Capability
from harness.telemetry.window import MIN_SAMPLES, Window, mean_over_time

MIN_WINDOW_S = 5.0  # a counter's tick at each edge is then 2 % of the window
POWER = "power_instant"

Capabilities = dict[str, Capability]


class Counted(NamedTuple):
    """Growth of an energy counter between two of its ticks, at ``from_ns`` and ``to_ns``."""

    joules: float
    from_ns: int
    to_ns: int

    @property
    def seconds(self) -> float:
        return (self.to_ns - self.from_ns) / 1e9


def energy(
    window: Window | None,
    source: int,
    capabilities: Capabilities,
    idle: tuple[Window | None, Window | None] = (None, None),
    samples: int | None = None,
) -> Energy:
    """Energy of GPU ``source`` over the window.

    ``idle``: windows at rest before and after, for the power at rest. ``samples``: how many samples of the
    workload the window's steps processed, for J per sample.
    """
    rest = [None if at_rest is None else rest_w(at_rest, source, capabilities) for at_rest in idle]
    known = [watts for watts in rest if watts is not None]
    rest_mean = sum(known) / len(known) if known else None
    found = Energy(idle_before_w=_short(rest[0]), idle_after_w=_short(rest[1]))
    if window is None or not window.edges:
        return replace(found, reason=(window and window.reason) or "no window was measured")
    if lost := window.edges[-1]["lost"][source]:
        return replace(found, reason=f"the GPU was lost: {lost}")
    if window.seconds < MIN_WINDOW_S:
        short = f"the window is {window.seconds:.1f} s long, energy needs {MIN_WINDOW_S:g} s"
        return replace(found, reason=short)

    counted = count(window, source, capabilities)
    power = mean_power(window, source, capabilities)
    total, origin, reasons = None, None, []
    if isinstance(counted, str):
        reasons.append(counted)
    else:
        counter_ns = counted.to_ns - counted.from_ns
        slack_ns = counter_ns - (window.end_ns - window.start_ns)
        found = replace(found, counter_j=_short(counted.joules), counter_ns=counter_ns, slack_ns=slack_ns)
        if rest_mean is None:
            reasons.append("what the counter saw beside the steps is unknown without the power at rest")
        else:
            total, origin = counted.joules - rest_mean * slack_ns / 1e9, "counter"
    if total is None and isinstance(power, str):
        reasons.append(power)
    elif total is None and isinstance(power, float):
        total, origin = power * window.seconds, "instant power"
    if rest_mean is None and total is not None:
        reasons.append("power at rest is unknown")
    return replace(
        found,
        source=origin,
        reason="; ".join(reasons) or None,
        total_j=_short(total),
        above_idle_j=None
        if total is None or rest_mean is None
        else _short(total - rest_mean * window.seconds),
        j_per_sample=_short(total / samples) if total is not None and samples else None,
    )


def count(window: Window, source: int, capabilities: Capabilities) -> Counted | str:
    """What the driver's counter gained between the ticks around the window, or why that is unknown."""
    how = capabilities.get(ENERGY)
    if how is None or how.support != "ok":
        return f"no energy counter: {how.reason if how else 'the GPU was not asked'}"
    readings = [edge["energy"][source] for edge in window.edges]
    if None in readings:
        return f"the energy counter could not be read: {window.note(source, ENERGY) or 'no answer'}"
    (from_ns, before, began), (to_ns, after, ended) = readings
    if not (began and ended):
        return "the energy counter did not tick within 150 ms at the window's edges"
    if after < before:
        return "the energy counter went backwards"
    found = Counted(after - before, from_ns, to_ns)
    if not 0 < found.joules <= MAX_W * found.seconds:
        return f"the energy counter gained {found.joules:g} J in {found.seconds:.1f} s, which is impossible"
    return found


def mean_power(window: Window, source: int, capabilities: Capabilities) -> float | str:
    """Mean of instantaneous power over the window in W, or why it is unknown."""
    how = capabilities.get(POWER)
    if how is None or how.support != "ok":
        return f"no instant power: {how.reason if how else 'the GPU was not asked'}"
    readings, _ = window.readings(source, POWER, how)
    if len(readings) < MIN_SAMPLES:
        return f"{len(readings)} readings of instant power in the window, a mean needs {MIN_SAMPLES}"
    return mean_over_time(readings)


def rest_w(window: Window, source: int, capabilities: Capabilities) -> float | None:
    """Power at rest: by the counter, which is what it will be taken out of, where the window is long enough."""
    if not window.edges:
        return None
    counted = count(window, source, capabilities)
    if isinstance(counted, Counted) and counted.seconds >= MIN_WINDOW_S:
        return counted.joules / counted.seconds
    power = mean_power(window, source, capabilities)
    return power if isinstance(power, float) else None


def _short(value: float | None) -> float | None:
    """Six digits; the sensor has two or three."""
    return None if value is None else float(f"{value:.6g}")
