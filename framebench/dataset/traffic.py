"""Bytes that a step moves at least, against what the machine copies: what bounds a step that multiplies little."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import NamedTuple

from framebench.dataset import declared
from framebench.dataset.device_share import MeasuredCeiling, Place, place_of
from framebench.dataset.result import Result
from harness import workloads


class Traffic(NamedTuple):
    """``copy_share``: of the best copy of the result's device; null where none was measured."""

    bytes_per_s: float
    copy_share: float | None


def traffic(result: Result, ceilings: Mapping[Place, MeasuredCeiling]) -> Traffic | None:
    """Null without a time, where the workload declares no traffic or is gone, in another precision than fp32, which
    traffic is declared for, and for a result of another configuration of the workload than today's."""
    case = result.case
    if result.time_ns is None or case.precision != "fp32" or case.workload not in _readable():
        return None
    spec = declared.workload(case.workload)
    preset = spec.presets.get(case.preset)
    if spec.traffic is None or preset is None:
        return None
    if result.latest.workload_config_sha256 != spec.config_sha256(preset):
        return None
    rate = spec.traffic(preset, case.batch, case.task) / result.time_ns.value * 1e9
    place = place_of(result.latest)
    ceiling = ceilings.get(place) if place else None
    return Traffic(rate, rate / ceiling.copy if ceiling and ceiling.copy else None)


@functools.cache  # imported modules do not change either
def _readable() -> frozenset[str]:
    """The workloads that are still there and whose specification can be read."""
    return frozenset(workloads.names()) - workloads.broken().keys()
