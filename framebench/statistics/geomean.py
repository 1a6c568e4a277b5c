"""One number over several cases, with those it lacks named."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple


class GeometricMean(NamedTuple):
    """Null when every ratio is missing; ``missing`` names the cases without one."""

    value: float | None
    n: int
    missing: tuple[str, ...]


def geometric_mean(ratios: Mapping[str, float | None]) -> GeometricMean:
    """``exp(mean(ln ratio))`` over the cases that have a ratio (Fleming & Wallace, CACM 29, 1986).

    The only mean of ratios that does not depend on which contender is the baseline. A description of
    exactly these cases: it carries no interval and no verdict.
    """
    known = [ratio for ratio in ratios.values() if ratio is not None]
    missing = tuple(name for name, ratio in ratios.items() if ratio is None)
    if not known:
        return GeometricMean(None, 0, missing)
    return GeometricMean(math.exp(math.fsum(map(math.log, known)) / len(known)), len(known), missing)
