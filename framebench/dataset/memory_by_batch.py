"""What a contender's memory trials say of each batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from framebench.dataset.result import Result
from harness.record import Memory


class Footprint(NamedTuple):
    """Bytes; null what could not be read. ``host``: the most that the process held, beyond what it held when the
    framework had been imported. ``allocator``: the most that the framework's allocator gave out. ``device``: what the
    driver counted more on the device than before the framework was there."""

    host: int | None
    allocator: int | None
    device: int | None


def footprints(by_batch: Mapping[int, Sequence[Result]]) -> dict[int, Footprint]:
    """By batch; of several results the newest, which comes first, that has a memory trial."""
    measured = {
        batch: next((one.memory for one in results if one.memory), None)
        for batch, results in by_batch.items()
    }
    return {batch: footprint(memory) for batch, memory in measured.items() if memory}


def footprint(memory: Memory) -> Footprint:
    """What one memory trial says."""
    peak, before = memory.host_rss_peak, memory.host_rss_after_import
    host = None if peak is None or before is None else peak - before
    return Footprint(host, memory.allocator_peak, memory.device_delta)
