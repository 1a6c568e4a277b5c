"""planted: a step of equal units, so that one per cent more work is exactly one per cent more units.

The self-test's workload. It is compared with nothing but itself: a variant that does more work must be found
slower, and the same variant under two names must not.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from harness.workloads import Batches, philox


class Preset(NamedTuple):
    units: int  # per step, a multiple of 100
    width: int  # values that a unit works on


class Planted:
    name = "planted"
    presets = {"selftest": Preset(units=200, width=4096)}
    learning_rate = 0.0
    momentum = 0.0
    target_accuracy = None

    def weights(self, preset: str, seed: int) -> dict[str, np.ndarray]:
        """``factor`` (width,) fp32 in [-1, 1): values stay bounded however often they are multiplied."""
        return {"factor": philox.uniform(self.name, "factor", seed, (self.presets[preset].width,), 1.0)}

    def batches(self, preset: str, batch: int, seed: int) -> Batches:
        """One batch of values; the labels are there for the interface only."""
        values = philox.uniform(self.name, "x", seed, (1, batch, self.presets[preset].width), 1.0)
        return Batches(x=values, y=np.zeros((1, batch), np.int64))

    def units(self, preset: str, variant: str) -> int:
        """Units of one step: ``plus3`` has three per cent more."""
        percent = int(variant.removeprefix("plus")) if variant.startswith("plus") else 0
        return self.presets[preset].units * (100 + percent) // 100

    def flops(self, preset: str, batch: int, task: str) -> int:
        """One multiplication and one addition per value and unit, of the variant without extra work."""
        return 2 * batch * self.presets[preset].units * self.presets[preset].width

    def parity_batch(self, preset: str) -> int:
        return 1

    def config(self, preset: str) -> dict[str, Any]:
        """Everything that defines the work."""
        units, width = self.presets[preset]
        return {"workload": self.name, "preset": preset, "units": units, "width": width}


SPEC = Planted()
