"""Nodes that should be alike: is one of them slower, by the two kernels that time the machine and know no framework?

Each trial times a matrix product in cache (the cores' clock) and a copy beyond it (the memory) before its framework is
there. A node is held against all others of its kind together.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Set
from typing import NamedTuple

import numpy as np

from framebench.statistics.bound import Answer, judge
from framebench.statistics.comparison import Comparison, welch
from framebench.statistics.holm import holm
from framebench.statistics.interval import CONFIDENCE, Estimate
from framebench.statistics.verdict import p_outside
from harness.record import Record

KERNELS = ("matmul", "copy")


class Node(NamedTuple):
    """One kernel on one node. ``times``: its time over that of the other nodes' (above 1 is slower), ``n`` its trials.

    ``answer``: ``fail`` if it is surely slower by more than was asked about, ``pass`` if it surely is not.
    """

    host_id: str
    node: str
    kernel: str
    times: Estimate
    answer: Answer


Times = dict[str, list[float]]
"""ln times of a kernel by node."""


def fleet(records: Iterable[Record], apart: float) -> list[Node]:
    """Every node of a kind of machine of which there are two or more, slowest first within its kind and kernel.

    ``apart``: the share by which a node may be slower. All answers are one family (Holm). Only trials of a
    scheduler's jobs name their node. A node that was found slower is no measure for the others any more: beside one
    that takes twice as long, a node that takes a tenth longer would look fast.
    """
    kinds: dict[tuple[str, str], Times] = defaultdict(lambda: defaultdict(list))
    for record in records:
        kernels, job = record.calibration, record.cluster_job
        if kernels is None or job is None:
            continue
        for kernel, took in zip(KERNELS, (kernels.matmul_before_ns, kernels.copy_before_ns), strict=True):
            kinds[record.provenance.host_id, kernel][job.node].append(math.log(took))
    slow: set[tuple[str, str, str]] = set()
    while True:
        nodes = _asked(kinds, slow, math.log1p(apart))
        found = {(one.host_id, one.kernel, one.node) for one in nodes if one.answer == "fail"}
        if found <= slow:
            return sorted(nodes, key=lambda one: (one.host_id, one.kernel, -one.times.value, one.node))
        slow |= found


def _asked(
    kinds: Mapping[tuple[str, str], Times], slow: Set[tuple[str, str, str]], limit: float
) -> list[Node]:
    asked = []
    for (host_id, kernel), of_nodes in kinds.items():
        for node, own in of_nodes.items():
            rest = [name for name in of_nodes if name != node]
            sound = [name for name in rest if (host_id, kernel, name) not in slow]
            if others := [one for name in sound or rest for one in of_nodes[name]]:
                asked.append((host_id, kernel, node, welch(np.array(own), np.array(others)), len(own)))
    adjusted = holm([_p(one[3], limit) for one in asked])
    return [
        Node(host_id, node, kernel, _times(found, trials), _answer(found, limit, p))
        for (host_id, kernel, node, found, trials), p in zip(asked, adjusted, strict=True)
    ]


def _p(found: Comparison, limit: float) -> float | None:
    """Of "it is slower by no more than the limit"; one-sided, so that to be faster is no fault."""
    if found.standard_error is None or found.df is None:
        return None
    beyond = p_outside(found.log_ratio, found.standard_error, found.df, limit)
    return beyond if found.log_ratio > limit else 1.0


def _answer(found: Comparison, limit: float, p: float | None) -> Answer:
    answer = judge(found.low, found.high, at_most=limit)
    if answer == "fail" and (p is None or p > 1 - CONFIDENCE):
        return "undecided"
    return answer


def _times(found: Comparison, trials: int) -> Estimate:
    low, high = (None if end is None else math.exp(end) for end in (found.low, found.high))
    return Estimate(math.exp(found.log_ratio), low, high, trials)
