"""Reading energy counters where they tick.

The driver renews its counter about every 100 ms; read at any other moment it is up to one tick behind. So before
and after the timed steps, never within, it is read every millisecond until it changes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

POLL_S = 0.001
LONGEST_S = 0.150

Reading = tuple[int, float, bool]


def at_ticks(counters: Sequence[Callable[[], float | None]]) -> list[Reading | None]:
    """``(CLOCK_MONOTONIC ns, J, whether it had just ticked)`` of each counter; null where there is none.

    All are watched together, for 150 ms at most.
    """
    readings: list[Reading | None] = []
    for counter in counters:
        value = counter()
        readings.append(None if value is None else (time.monotonic_ns(), value, False))
    end = time.monotonic() + LONGEST_S
    while any(reading and not reading[2] for reading in readings) and time.monotonic() < end:
        time.sleep(POLL_S)
        for place, (counter, before) in enumerate(zip(counters, readings, strict=True)):
            if before is None or before[2]:
                continue
            value = counter()
            now = time.monotonic_ns()
            readings[place] = None if value is None else (now, value, value != before[1])
    return readings
