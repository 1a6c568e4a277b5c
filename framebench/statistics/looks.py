"""Sequential looks: after which rounds a campaign may decide that a case needs no more of them.

Stopping whenever the figures please would make every interval a lie. A campaign therefore looks only after fixed
rounds, and what it looks at is how wide the intervals are, never where they lie. The price that remains (a spread
that comes out small by chance stops earlier) is simulated by ``benchmarks/coverage.py``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

LOOKS = (5, 7, 10, 14, 20)
MOST_ROUNDS = LOOKS[-1]
TARGET_HALF_WIDTH = math.log1p(0.01)  # ln: 1 % of the ratio


def due(rounds: int) -> bool:
    """Whether there is a look after this many finished rounds."""
    return rounds in LOOKS


def precise(half_widths: Sequence[float | None]) -> bool:
    """Whether every comparison of a case is as precise as is asked for: no half-width (ln) above 1 %.

    False where one is unknown (null) or nothing is compared: there is nothing yet to be precise about.
    """
    known = [half for half in half_widths if half is not None]
    return 0 < len(known) == len(half_widths) and max(known) <= TARGET_HALF_WIDTH


def stop(rounds: int, half_widths: Sequence[float | None]) -> bool:
    """Whether a case is finished after so many rounds with these half-widths (ln) of its comparisons."""
    return due(rounds) and (rounds >= MOST_ROUNDS or precise(half_widths))
