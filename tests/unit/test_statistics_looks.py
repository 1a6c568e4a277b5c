"""Sequential looks: when a case may be called precise enough."""

from __future__ import annotations

import math

import pytest

from framebench.statistics.looks import LOOKS, due, precise, stop

NARROW, WIDE = math.log(1.009), math.log(1.012)


def test_looks_take_place_after_these_rounds_only() -> None:
    assert [rounds for rounds in range(1, 25) if due(rounds)] == [5, 7, 10, 14, 20]


@pytest.mark.parametrize(
    ("half_widths", "answer"),
    [
        ([NARROW], True),
        ([NARROW, 0.0, NARROW], True),
        ([NARROW, WIDE], False),
        ([math.log1p(0.01)], True),
        ([NARROW, None], False),
        ([], False),
    ],
)
def test_every_comparison_must_be_within_one_per_cent(half_widths: list[float | None], answer: bool) -> None:
    assert precise(half_widths) is answer
    assert stop(5, half_widths) is answer


def test_between_looks_nothing_stops() -> None:
    assert not any(stop(rounds, [0.0]) for rounds in range(1, 20) if rounds not in LOOKS)


def test_the_last_look_always_stops() -> None:
    assert stop(20, [WIDE]) and stop(20, [None])
