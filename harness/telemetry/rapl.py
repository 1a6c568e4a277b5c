"""Energy of the processor packages by their own counters (Intel's RAPL, AMD's likewise), through powercap.

A package's counter covers everybody on it. Since Linux 5.10 only root may read it (CVE-2020-8694), and container
engines hide it; most virtual machines have none. It wraps at ``max_energy_range_uj``. What cannot be read is not
estimated: a thermal design power multiplied by time is no measurement.
"""

from __future__ import annotations

import re

from harness.telemetry import proc
from harness.telemetry.source import Support

ROOT = "/sys/class/powercap"
_ZONE = re.compile(
    r"intel-rapl:\d+"
)  # a package; intel-rapl:0:1 is a part of one, intel-rapl-mmio a second door


class Packages:
    """All packages together. ``joules`` only grows; it is the energy since ``probe``."""

    def __init__(self) -> None:
        self.last_uj: dict[str, int] = {}
        self.total_uj = 0

    def probe(self) -> tuple[Support, str | None]:
        """Whether every package can be read, and why not."""
        zones = sorted(zone for zone in proc.names(ROOT) if _ZONE.fullmatch(zone))
        if not zones:
            return "not supported", "no RAPL in /sys/class/powercap"
        labels = {zone: proc.read(f"{ROOT}/{zone}/name") for zone in zones}
        if None in labels.values():
            return "no permission", "the container hides the RAPL counters"
        packages = [zone for zone, label in labels.items() if (label or "").startswith("package")]  # not psys
        if not packages:
            return "not supported", "RAPL names no package here"
        readings = {zone: _number(zone, "energy_uj") for zone in packages}
        if None in readings.values():
            return "no permission", "only root may read energy_uj"
        self.last_uj = {zone: uj for zone, uj in readings.items() if uj is not None}
        return "ok", None

    def joules(self) -> float | None:
        """Energy since the probe, J; ``None`` if a package can no longer be read."""
        if not self.last_uj:
            return None
        for zone, before in self.last_uj.items():
            now = _number(zone, "energy_uj")
            if now is not None and now < before:  # wrapped: once, a range lasts a quarter of an hour and more
                span = _number(zone, "max_energy_range_uj")
                grown = None if span is None else now - before + span
            else:
                grown = None if now is None else now - before
            if now is None or grown is None or grown < 0:
                self.last_uj = {}
                return None
            self.total_uj += grown
            self.last_uj[zone] = now
        return self.total_uj / 1e6


def _number(zone: str, file: str) -> int | None:
    text = proc.read(f"{ROOT}/{zone}/{file}")
    return None if text is None else int(text)
