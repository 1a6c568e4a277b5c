"""planted in NumPy: ``y = y * factor + x``, once per unit, without allocating."""

from __future__ import annotations

import numpy as np

from harness.workloads.planted.spec import Preset


def units(preset: Preset, variant: str) -> int:
    """Units of one step: ``plus3`` has three per cent more."""
    percent = int(variant.removeprefix("plus")) if variant.startswith("plus") else 0
    return preset.units * (100 + percent) // 100


def step(y: np.ndarray, factor: np.ndarray, x: np.ndarray, units: int) -> None:
    """One step into ``y`` (B, width)."""
    for _ in range(units):
        np.multiply(y, factor, out=y)
        np.add(y, x, out=y)
