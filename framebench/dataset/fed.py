"""Training that reads its batches from files, beside the same training on batches that lie ready."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from framebench.dataset import declared
from framebench.dataset.result import Result
from framebench.dataset.same_contender import in_case, times_as_long
from framebench.statistics.interval import Estimate
from harness.record import Case


class Fed(NamedTuple):
    """``times_as_long``: the fed step over the ready one."""

    fed: Result
    ready: Result
    times_as_long: Estimate


def fed_results(timed: Sequence[Result], results: Mapping[Case, Sequence[Result]]) -> list[Fed]:
    """Those of ``timed`` whose contender was timed on ready batches too, at the same place, among ``results``, which
    are ``by_case``."""
    found = []
    for fed in timed:
        workload = declared.workload(fed.case.workload).ready
        if workload is None:
            continue
        ready = in_case(msgspec.structs.replace(fed.case, workload=workload), fed, results)
        if ready is not None and (long := times_as_long(fed, ready)) is not None:
            found.append(Fed(fed, ready, long))
    return found
