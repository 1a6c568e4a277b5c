"""How long importing a framework takes: the phase ``import`` over all trials of an image on a host."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from framebench.dataset.result import Result
from framebench.dataset.spread import Spread, spread
from framebench.records.trial_figures import phase_ns


class ImportTime(NamedTuple):
    """One image on one host, over its timed trials."""

    image: str
    host_id: str
    took: Spread


def import_times(results: Iterable[Result]) -> list[ImportTime]:
    """By image and host, sorted; superseded and retired results take no part."""
    times: dict[tuple[str, str], list[float]] = defaultdict(list)
    for result in results:
        if not result.current or result.image.name is None:
            continue
        for record in result.timed:
            took = phase_ns(record, "import")
            if took is not None:
                times[result.image.name, result.host_id].append(took)
    return [ImportTime(image, host_id, spread(some)) for (image, host_id), some in sorted(times.items())]
