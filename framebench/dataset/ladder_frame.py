"""The ladders as a table: one row per contender and machine."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from framebench.dataset.file_formats import table
from framebench.dataset.ladder import Ladder
from framebench.dataset.result import Result

if TYPE_CHECKING:
    import pandas as pd

FIGURES = (
    "rank_best",
    "rank_worst",
    "time_ratio",
    "time_ratio_low",
    "time_ratio_high",
    "needed",
    "need_ratio",
)


def ladder_frame(ladders: Iterable[Ladder]) -> pd.DataFrame:
    """``time_ratio`` is the geometric mean of the time over the baseline's, ``rank_best`` to ``rank_worst`` the range
    of places, ``need_ratio`` the geometric mean of what is ``needed`` over the baseline's need; all null for one
    that lacks a case, which ``missing`` names."""
    return table([row for ladder in ladders for row in _rows(ladder)])


def _rows(ladder: Ladder) -> list[dict[str, Any]]:
    whole = [
        _shared(ladder, rung.result)
        | {
            "rank_best": rung.rank.best,
            "rank_worst": rung.rank.worst,
            "time_ratio": rung.time_ratio.value,
            "time_ratio_low": rung.time_ratio.low,
            "time_ratio_high": rung.time_ratio.high,
            "needed": ladder.needed,
            "need_ratio": rung.need,
            "missing": "",
        }
        for rung in ladder.rungs
    ]
    lacking = [
        _shared(ladder, one.result)
        | dict.fromkeys(FIGURES)
        | {"missing": "; ".join(case.case.path for case in one.missing)}
        for one in ladder.incomplete
    ]
    return [*whole, *lacking]


def _shared(ladder: Ladder, result: Result) -> dict[str, Any]:
    first = ladder.cases[0]
    return {
        "host_id": first.host_id,
        "executor": first.executor,
        "protocol": first.protocol.name,
        "device": first.case.device,
        "precision": first.case.precision,
        "cases": "; ".join(case.case.path for case in ladder.cases),
        "baseline": ladder.baseline.label,
        "contender": result.label,
    }
