"""What a self-test leaves: each check with its answer, and the figures behind it."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from framebench.records.ranges import Commit, Factor, Id, Interval, Ln, Name, Rate, Seconds
from harness.record import Count, Positive, Sha256, Share, UtcTime

SELFTEST_VERSION = 1
OBSERVER_CHECK = "observer effect"  # the name of the check that decides how often the sampler looks

Answer = Literal["pass", "fail", "undecided"]


class _Strict(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Base: immutable, unknown fields refused."""


class Check(_Strict, frozen=True, kw_only=True):
    """One bound and how it ended. ``found`` says in words what was seen, ``bound`` what was asked."""

    name: Annotated[str, Meta(min_length=1)]
    answer: Answer
    bound: str
    found: str


class Ratio(_Strict, frozen=True, kw_only=True):
    """A ratio of times with its 95 % interval over ``pairs``; null where one pair has none."""

    value: Factor
    low: Interval | None
    high: Interval | None
    pairs: Positive


class FalseWinners(_Strict, frozen=True, kw_only=True):
    """Independent A/A comparisons of ``rounds`` rounds: how many called one of two equals faster or slower.

    ``low`` and ``high``: Clopper-Pearson 95 % interval of the rate. ``noise_ln`` is the A/A noise that they give,
    ``spread_ln`` the standard deviation of ln time from trial to trial.
    """

    comparisons: Positive
    rounds: Positive
    false_winners: Count
    low: Share
    high: Share
    noise_ln: Ln
    spread_ln: Ln


class Planted(_Strict, frozen=True, kw_only=True):
    """Campaigns in which a contender did ``percent`` more work: how many found it slower after ``rounds`` rounds.

    ``low`` and ``high``: Clopper-Pearson interval of the share, corrected for the number of rows (Bonferroni).
    ``predicted``: the share that a simulation expects from the spread between this host's A/A trials.
    ``rounds_needed``: rounds from which the simulation expects 95 %; null above its limit.
    """

    percent: Annotated[int, Meta(ge=1, le=100)]
    rounds: Positive
    campaigns: Positive
    found: Count
    called_faster: Count
    low: Share
    high: Share
    predicted: Share
    equal_within_ln: Ln
    rounds_needed: Positive | None


class SelfTest(_Strict, frozen=True, kw_only=True):
    """One run of ``framebench selftest``. Written once, never edited.

    ``observer``: wall time of a step with the sampler over without it.
    ``disturbed``: trials during which others took the cores (null: not counted).
    ``sampler_share``: CPU time of the sampler over the window's wall time, of one core.
    ``real_pair``: the A/A ratio of a real stack, named by ``real_contender``.
    """

    selftest_version: int = SELFTEST_VERSION
    selftest_id: Id
    form: Literal["quick", "full"]
    tested_utc: UtcTime
    host_id: Name
    git_commit: Commit | None
    dirty: bool | None
    harness_tree_sha256: Sha256
    duration_s: Seconds
    trials: Positive
    disturbed: Count | None = None
    checks: Annotated[list[Check], Meta(min_length=1)]
    false_winners: FalseWinners
    planted: list[Planted]
    observer: Ratio | None
    sampler_share: Annotated[float, Meta(ge=0.0, le=1e6)] | None
    matmul_flops_per_s: Rate | None
    copy_bytes_per_s: Rate | None
    real_contender: Name | None
    real_pair: Ratio | None


def decode_selftest(data: bytes) -> SelfTest:
    """Strict decoding; raises ``msgspec.ValidationError`` naming the field, or ``DecodeError``."""
    version = msgspec.json.decode(data, type=_Version).selftest_version
    if version != SELFTEST_VERSION:
        raise msgspec.ValidationError(
            f"selftest_version is {version}, this framebench reads {SELFTEST_VERSION} - at `$.selftest_version`"
        )
    return msgspec.json.decode(data, type=SelfTest)


class _Version(msgspec.Struct):
    selftest_version: int
