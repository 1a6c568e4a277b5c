"""A/A noise of hosts: contenders that were timed under two names, paired by campaign and round."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from framebench.dataset.grouping import results
from framebench.dataset.result import Result, log_times
from framebench.records.identity import pair_key
from framebench.statistics.noise import Noise, aa_noise
from harness.record import Record


def host_noises(results: Sequence[Result]) -> dict[str, Noise]:
    """A/A noise of every host that timed a contender under two names."""
    originals = {_pair(result): result for result in results if not result.contender.twin}
    pairs: dict[str, list[np.ndarray]] = defaultdict(list)
    for twin in results:
        original = originals.get(_pair(twin)) if twin.contender.twin else None
        if original is None:
            continue
        one, other = log_times(twin), log_times(original)
        campaigns: dict[str, list[float]] = defaultdict(list)
        for key in sorted(one.keys() & other.keys()):
            campaigns[key[0]].append(one[key] - other[key])
        pairs[twin.host_id].extend(np.array(differences) for differences in campaigns.values())
    noises = {host: aa_noise(arrays) for host, arrays in pairs.items()}
    return {host: noise for host, noise in noises.items() if noise is not None}


def _pair(result: Result) -> tuple[str, ...]:
    return pair_key(next(records[0] for records in result.trials.values()))


def host_noise(records: Iterable[Record], host_id: str) -> float | None:
    """A/A noise of one host as a limit of |ln ratio|; null when it has no A/A pair."""
    noise = host_noises(results(records)).get(host_id)
    return noise.limit if noise else None
