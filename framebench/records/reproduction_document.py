"""The reproduction record: what re-running one result's trials against its baseline gave."""

from __future__ import annotations

from typing import Literal

import msgspec

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
    reproduction_id: str
    result_id: str
    reproduced_utc: str
    host_id: str
    same_hardware: bool
    executor: str
    config_digest: str | None
    image_source: Literal["local", "pulled", "rebuilt"]
    rounds: int
    contender: str
    baseline: str
    recorded_ratio: float
    new_ratio: float
    ratio_of_ratios: float
    low: float | None
    high: float | None
    bound: float
    verdict: Verdict
    rounds_needed: int | None
    trial_ids: list[str]
    busy_rounds: int | None = None


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
