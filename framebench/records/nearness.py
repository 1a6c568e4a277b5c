"""What orders comparisons of the gate."""

from __future__ import annotations

import math

from harness.record import ParityDiff


def nearness(diff: ParityDiff) -> float:
    """How near to its tolerance, or how far above."""
    if diff.value is None:
        return math.inf
    return diff.value / diff.tolerance if diff.tolerance else math.inf if diff.value else 0.0
