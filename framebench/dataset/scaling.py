"""What more devices bring: a step that they share beside the same contender's on one device, at the same place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from framebench.dataset.file_formats import estimate_columns, table
from framebench.dataset.result import Result
from framebench.dataset.same_contender import in_case, times_as_long
from framebench.statistics.interval import Estimate
from harness.record import Case

if TYPE_CHECKING:
    import pandas as pd

Held = Literal["whole", "per device"]


class Scaling(NamedTuple):
    """``held``: which batch both have, the whole one (strong scaling) or each device's (weak). ``speed``: samples per
    second over those of one device. ``efficiency``: that over how much more hardware it has; on a CPU devices are
    shares of the same cores, so it has no more."""

    shared: Result
    alone: Result
    held: Held
    speed: Estimate
    efficiency: Estimate


def scaling(timed: Iterable[Result], results: Mapping[Case, Sequence[Result]]) -> list[Scaling]:
    """Those of ``timed`` on several devices whose contender was timed on one among ``results``, which are
    ``by_case``."""
    found = []
    for shared in timed:
        case = shared.case
        count = case.device_count
        if count == 1 or shared.time_ns is None or not shared.current:
            continue
        batches: tuple[tuple[Held, int], ...] = (("whole", case.batch), ("per device", case.batch // count))
        for held, batch in batches:
            alone = in_case(msgspec.structs.replace(case, device_count=1, batch=batch), shared, results)
            if alone is None or (longer := times_as_long(alone, shared)) is None:
                continue
            speed = _times(longer, case.batch / batch)
            more = count if case.device == "gpu" else 1
            found.append(Scaling(shared, alone, held, speed, _times(speed, 1 / more)))
    return found


def _times(estimate: Estimate, factor: float) -> Estimate:
    low, high = (None if end is None else end * factor for end in (estimate.low, estimate.high))
    return Estimate(estimate.value * factor, low, high, estimate.n)


def scaling_frame(rows: Iterable[Scaling]) -> pd.DataFrame:
    """One row per result on several devices and result on one that it is held against."""
    return table([_row(one) for one in rows])


def _row(one: Scaling) -> dict[str, Any]:
    shared = one.shared
    return {
        "host_id": shared.host_id,
        "executor": shared.executor,
        "protocol": shared.protocol.name,
        "case": shared.case.path,
        "contender": shared.contender.slug,
        "image": shared.image.name,
        "result_id": shared.id,
        "device_count": shared.case.device_count,
        "alone_id": one.alone.id,
        "held": one.held,
        **estimate_columns("speed", one.speed),
        **estimate_columns("efficiency", one.efficiency),
    }
