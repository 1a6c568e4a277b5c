"""What a self-test leaves: each check with its answer, and the figures behind it."""

from __future__ import annotations

from typing import Literal

import msgspec

SELFTEST_VERSION = 1
OBSERVER_CHECK = "observer effect"  # the name of the check that decides how often the sampler looks

Answer = Literal["pass", "fail", "undecided"]


class _Strict(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Base: immutable, unknown fields refused."""


class Check(_Strict, frozen=True, kw_only=True):
    """One bound and how it ended. ``found`` says in words what was seen, ``bound`` what was asked."""

    name: str
    answer: Answer
    bound: str
    found: str


class Ratio(_Strict, frozen=True, kw_only=True):
    """A ratio of times with its 95 % interval over ``pairs``; null where one pair has none."""

    value: float
    low: float | None
    high: float | None
    pairs: int


class FalseWinners(_Strict, frozen=True, kw_only=True):
    """Independent A/A comparisons of ``rounds`` rounds: how many called one of two equals faster or slower.

    ``low`` and ``high``: Clopper-Pearson 95 % interval of the rate. ``noise_ln`` is the A/A noise that they give,
    ``spread_ln`` the standard deviation of ln time from trial to trial.
    """

    comparisons: int
    rounds: int
    false_winners: int
    low: float
    high: float
    noise_ln: float
    spread_ln: float


class Planted(_Strict, frozen=True, kw_only=True):
    """Campaigns in which a contender did ``percent`` more work: how many found it slower after ``rounds`` rounds.

    ``low`` and ``high``: Clopper-Pearson interval of the share, corrected for the number of rows (Bonferroni).
    ``predicted``: the share that a simulation expects from the spread between this host's A/A trials.
    ``rounds_needed``: rounds from which the simulation expects 95 %; null above its limit.
    """

    percent: int
    rounds: int
    campaigns: int
    found: int
    called_faster: int
    low: float
    high: float
    predicted: float
    equal_within_ln: float
    rounds_needed: int | None


class SelfTest(_Strict, frozen=True, kw_only=True):
    """One run of ``framebench selftest``. Written once, never edited.

    ``observer``: wall time of a step with the sampler over without it.
    ``disturbed``: trials during which others took the cores (null: not counted).
    ``sampler_share``: CPU time of the sampler over the window's wall time, of one core.
    ``real_pair``: the A/A ratio of a real stack, named by ``real_contender``.
    """

    selftest_version: int = SELFTEST_VERSION
    selftest_id: str
    form: Literal["quick", "full"]
    tested_utc: str
    host_id: str
    git_commit: str | None
    dirty: bool | None
    harness_tree_sha256: str
    duration_s: float
    trials: int
    disturbed: int | None = None
    checks: list[Check]
    false_winners: FalseWinners
    planted: list[Planted]
    observer: Ratio | None
    sampler_share: float | None
    matmul_flops_per_s: float | None
    copy_bytes_per_s: float | None
    real_contender: str | None
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
