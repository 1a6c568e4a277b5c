"""misbehaving in NumPy."""

from __future__ import annotations

import numpy as np

from .deeds import DEEDS
from .spec import Preset


def units(preset: Preset, variant: str) -> int:
    """The driver's count of units has no meaning here: it does the deed, once."""
    DEEDS[preset.deed].do()
    return 1


def step(y: np.ndarray, factor: np.ndarray, x: np.ndarray, units: int) -> None:
    """One step into ``y`` (B, width), which takes some microseconds."""
    for _ in range(50 * units):
        np.multiply(x, factor, out=y)
