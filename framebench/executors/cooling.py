"""A card that a trial left warming is rested before the next one, so that no contender begins where another left off.

A settled card has one temperature all through the timed blocks (the harness waits for that), and costs no rest. Where
it rose all the same, the next trial waits until the card is as cool as the last one found it, or gets no cooler.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from framebench.executors import Progress
from framebench.executors.gpu import choose, opened
from harness.frameworks import Unsupported
from harness.record import Record

ROSE_C = 3.0  # within the timed window; readings are whole degrees
NEAR_C = 1.0
LONGEST_S = 60.0
STILL_S = 15.0  # without a new lowest reading: as cool as it gets
LOOK_S = 1.0


class Warmed(NamedTuple):
    """``found_c``: what the hottest card had before the trial that left them warming; ``rose_c``: by how much the one
    that rose most did while it was timed."""

    found_c: float
    rose_c: float


def warmed(record: Record, found_c: float | None) -> Warmed | None:
    """Null where no card rose by ``ROSE_C`` while the trial was timed, or nobody knows what they had before."""
    watched = record.telemetry.gpus if record.telemetry else []
    seen = [gpu.metrics["temperature"] for gpu in watched if "temperature" in gpu.metrics]
    rises = [one.maximum - one.minimum for one in seen if one.maximum is not None and one.minimum is not None]
    if found_c is None or not rises or max(rises) < ROSE_C:
        return None
    return Warmed(found_c, max(rises))


def hottest_c(count: int) -> float | None:
    """Degrees of the hottest of the GPUs that a case on so many has now; null where no driver tells."""
    try:
        uuids = choose(count).uuids
        with opened() as nvml:
            return max(
                float(nvml.nvmlDeviceGetTemperature(_whole(nvml, uuid), nvml.NVML_TEMPERATURE_GPU))
                for uuid in uuids
            )
    except Unsupported:
        return None


def _whole(nvml: Any, uuid: str) -> Any:
    handle = nvml.nvmlDeviceGetHandleByUUID(uuid)
    return nvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(handle) if uuid.startswith("MIG-") else handle


def rest(
    after: Warmed,
    count: int,
    log: Progress,
    stopped: Callable[[], bool],
    read: Callable[[int], float | None] = hottest_c,
    wait: Callable[[float], None] = time.sleep,
) -> float:
    """Seconds that were waited until the case's ``count`` cards had cooled; ends at once when ``stopped``."""
    now = lowest = read(count)
    if now is None or lowest is None or now <= after.found_c + NEAR_C:
        return 0.0
    log(
        f"the last trial warmed the GPU by {after.rose_c:.0f} °C while it was timed; it has {now:.0f} °C and rests"
        f" until {after.found_c + NEAR_C:.0f} °C, {LONGEST_S:.0f} s at most"
    )
    waited = since = 0.0
    while waited < LONGEST_S and since < STILL_S and not stopped():
        wait(LOOK_S)
        waited, since = waited + LOOK_S, since + LOOK_S
        now = read(count)
        if now is None or now <= after.found_c + NEAR_C:
            break
        if now < lowest:
            lowest, since = now, 0.0
    return waited
