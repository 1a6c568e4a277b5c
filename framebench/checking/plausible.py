"""How likely: a time far from every other of the same contender in the same case is for a human to look at."""

from __future__ import annotations

from collections.abc import Iterator

from framebench.checking.doubt import Doubt, warn
from framebench.checking.known import Known, same_measurement
from framebench.records.trial_figures import step_ns
from harness.record import Record

OTHERS = 2  # below that nobody can say what is usual
FASTER = 1.5
SLOWER = 8.0  # a stranger on the machine: among 301 trials up to 5.8
LOOK = "look at both, and measure again where nothing explains it"


def doubts(record: Record, known: Known) -> Iterator[Doubt]:
    """Far outside what the other trials on such a machine say."""
    step = step_ns(record)
    if step is None or record.outcome.status != "ok":
        return
    others = [
        time for trial, time in known.steps[same_measurement(record)].items() if trial != record.trial_id
    ]
    if len(others) < OTHERS:
        return
    if step * FASTER < min(others):
        yield warn(
            "timing.blocks",
            f"{min(others) / step:,.1f} times as fast as the fastest of {len(others)} other trials on such a machine",
            LOOK,
        )
    elif step > SLOWER * max(others):
        yield warn(
            "timing.blocks",
            f"{step / max(others):,.1f} times as slow as the slowest of {len(others)} other trials on such a machine",
            LOOK,
        )
