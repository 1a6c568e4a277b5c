"""Trials in which others took the cores: one rule for results, reproductions and the self-test.

What decides is what others did, never how fast a trial was. Without disturbed rounds a result stands on the quiet
ones, where three of them remain; with too few of those, half disturbed is too busy to rank or to judge anything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from framebench.records.trial_figures import flags_of
from framebench.statistics.comparison import MIN_ROUNDS
from harness.flags import UNRANKED
from harness.record import Record

Round = TypeVar("Round")


def disturbed(record: Record) -> bool:
    """Did others take so much of the cores that the trial may not be ranked?"""
    return UNRANKED in flags_of(record)


def set_aside(rounds: Sequence[Round], busy: Callable[[Round], bool]) -> list[Round]:
    """Those that count: without the busy ones, if three quiet ones remain; else all."""
    quiet = [one for one in rounds if not busy(one)]
    return quiet if len(quiet) >= MIN_ROUNDS else [*rounds]


def too_busy(busy: int, of: int) -> bool:
    """Whether so many of the rounds that count were disturbed that nothing follows from them."""
    return 2 * busy >= of > 0
