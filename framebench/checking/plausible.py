"""How likely: a time far from every other of the same contender in the same case is for a human to look at."""

from __future__ import annotations

from collections.abc import Iterator

from framebench.checking.doubt import Doubt, warn
from framebench.checking.known import Known, one_contender, same_measurement
from framebench.records.step_time import step_ns
from harness.record import Record

OTHERS = 2  # below that nobody can say what is usual
FASTER = 1.5
SLOWER = 8.0  # a stranger on the machine: among 301 trials up to 5.8
LEAST_MEMORY, MOST_MEMORY = 0.15, 1.5  # of the timed trials': 0.19 to 0.994 in 117 passes
LOOK = "look at both, and measure again where nothing explains it"


def doubts(record: Record, known: Known) -> Iterator[Doubt]:
    """Far outside what the other trials on such a machine say."""
    yield from _memory(record, known)
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


def _memory(record: Record, known: Known) -> Iterator[Doubt]:
    """A pass for memory takes no more than the timed trials, which do more, and not much less."""
    peak, timed = (
        record.memory.host_rss_peak if record.memory else None,
        known.rss_peaks.get(one_contender(record)),
    )
    if peak is None or timed is None or record.outcome.status != "ok":
        return
    if not LEAST_MEMORY * timed <= peak <= MOST_MEMORY * timed:
        yield warn("memory.host_rss_peak", f"{peak:,} bytes, its timed trials took {timed:,.0f}", LOOK)
