"""How long importing a framework takes: the phase ``import`` over all trials of an image on a host."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from statistics import median
from typing import NamedTuple

from framebench.dataset.result import Result
from framebench.dataset.trial_figures import phase_ns


class ImportTime(NamedTuple):
    """One image on one host, over ``trials`` timed trials, each a fresh process."""

    image: str
    host_id: str
    median_ns: float
    shortest_ns: float
    longest_ns: float
    trials: int


def import_times(results: Iterable[Result]) -> list[ImportTime]:
    """By image and host, sorted; superseded results take no part."""
    times: dict[tuple[str, str], list[float]] = defaultdict(list)
    for result in results:
        if result.superseded or result.image.name is None:
            continue
        for record in result.timed:
            took = phase_ns(record, "import")
            if took is not None:
                times[result.image.name, result.host_id].append(took)
    return [
        ImportTime(image, host_id, median(some), min(some), max(some), len(some))
        for (image, host_id), some in sorted(times.items())
    ]
