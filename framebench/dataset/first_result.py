"""How long a fresh process takes to its first result: all phases of a trial up to the end of its first step.

The interpreter's own start and the import of NumPy come before the first phase, and the harness does not time them.
What a trial checks comes after the first step.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from framebench.dataset.result import Result
from framebench.dataset.spread import Spread, spread
from framebench.records.trial_figures import first_result_ns


class FirstResult(NamedTuple):
    """With a compile cache that earlier trials filled, and with an empty one; null where no such trial got there."""

    warm: Spread | None
    cold: Spread | None


def first_result(results: Sequence[Result]) -> FirstResult | None:
    """Of one contender in one case, ``results`` the newest first: from timed trials and from cold starts.

    Each of the two is the newest result's that has it; null where none has either.
    """
    warm, cold = _newest(results, "warm"), _newest(results, "cold")
    return FirstResult(warm, cold) if warm or cold else None


def _newest(results: Iterable[Result], cache_state: str) -> Spread | None:
    for result in results:
        trials = [*result.timed, *result.trials.get("cold-start", ())]
        alike = [record for record in trials if record.cache_state == cache_state]
        if times := [time for record in alike if (time := first_result_ns(record)) is not None]:
            return spread(times)
    return None
