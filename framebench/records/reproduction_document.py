"""The reproduction record: what re-running one result's trials against its baseline gave."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from framebench.records.ranges import Factor, Id, Interval, Name, ResultId
from harness.record import Count, Digest, Positive, UtcTime

REPRODUCTION_VERSION = 1

Verdict = Literal["reproduced", "not reproduced", "undecided"]


class Reproduction(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """One reproduction of one result. Written once, never edited.

    A ratio is the contender's time of a step over the baseline's; ``ratio_of_ratios`` is new over
    recorded, ``low`` and ``high`` its 95 % interval (null when it could not be formed), ``bound`` the
    accepted relative difference, ``max(5 %, A/A noise)``, e.g. 0.05. ``rounds_needed`` says how many more
    rounds would decide, null when none would or none are needed. ``host_id`` is the reproducing host.

    ``rounds`` are those that count; others took the cores in ``busy_rounds`` of them (null: not counted). From half
    on the machine was too busy to judge, so the verdict is undecided whatever the interval says.
    """

    reproduction_version: int = REPRODUCTION_VERSION
    reproduction_id: Id
    result_id: ResultId
    reproduced_utc: UtcTime
    host_id: Name
    same_hardware: bool
    executor: Name
    config_digest: Digest | None
    image_source: Literal["local", "pulled", "rebuilt"]
    rounds: Positive
    contender: Name
    baseline: Name
    recorded_ratio: Factor
    new_ratio: Factor
    ratio_of_ratios: Factor
    low: Interval | None
    high: Interval | None
    bound: Factor
    verdict: Verdict
    rounds_needed: Positive | None
    trial_ids: Annotated[list[Id], Meta(min_length=1)]
    busy_rounds: Count | None = None


def decode_reproduction(data: bytes) -> Reproduction:
    """Strict decoding; raises ``msgspec.ValidationError`` naming the field, or ``DecodeError``."""
    version = msgspec.json.decode(data, type=_Version).reproduction_version
    if version != REPRODUCTION_VERSION:
        raise msgspec.ValidationError(
            f"reproduction_version is {version}, this framebench reads {REPRODUCTION_VERSION}"
            " - at `$.reproduction_version`"
        )
    return msgspec.json.decode(data, type=Reproduction)


class _Version(msgspec.Struct):
    reproduction_version: int
