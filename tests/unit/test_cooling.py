"""A card that a trial left warming is rested before the next one."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec
import pytest

from framebench.executors.cooling import LONGEST_S, STILL_S, Warmed, rest, warmed
from harness.record import Metric, Record
from tests.record_factory import gpu_telemetry, make_record, telemetry

WARMED = Warmed(found_c=40.0, rose_c=20.0)


def on(*temperatures: tuple[float | None, float | None]) -> Record:
    """A record whose GPUs had these lowest and highest temperatures."""
    gpus = []
    for number, (low, high) in enumerate(temperatures):
        seen = gpu_telemetry(number)
        metric = Metric(unit="°C", samples=9, mean=low, minimum=low, maximum=high)
        gpus.append(msgspec.structs.replace(seen, metrics=seen.metrics | {"temperature": metric}))
    record = make_record()
    told = msgspec.structs.replace(telemetry(), gpus=gpus, gpu_reason=None if gpus else "no GPU")
    return msgspec.structs.replace(record, telemetry=told)


def readings(values: Iterable[float | None]) -> Callable[[int], float | None]:
    left = iter(values)
    return lambda count: next(left)


def falling(start: float, by: float) -> Iterable[float]:
    while True:
        yield start
        start -= by


def waited(
    values: Iterable[float | None], stopped: Callable[[], bool] = lambda: False
) -> tuple[float, list[str]]:
    said: list[str] = []
    return rest(WARMED, 1, said.append, stopped, readings(values), lambda seconds: None), said


def test_only_a_card_that_rose_while_it_was_timed_needs_rest() -> None:
    assert warmed(on((60.0, 62.0)), 35.0) is None
    assert warmed(on((40.0, 60.0), (40.0, 44.0)), 35.0) == Warmed(35.0, 20.0)
    assert warmed(on((40.0, 60.0)), None) is None
    assert warmed(on((None, None)), 35.0) is None and warmed(on(), 35.0) is None
    assert warmed(msgspec.structs.replace(make_record(), telemetry=None), 35.0) is None


def test_it_rests_until_it_is_as_cool_as_it_was_found_and_says_so() -> None:
    seconds, said = waited(falling(60.0, 1.0))
    assert seconds == 19.0  # 41 °C is near enough
    assert said == [
        "the last trial warmed the GPU by 20 °C while it was timed; it has 60 °C and rests until 41 °C, 60 s at most"
    ]


@pytest.mark.parametrize("now", [41.0, 30.0, None])
def test_a_card_that_is_cool_or_tells_nothing_is_not_waited_for(now: float | None) -> None:
    assert waited([now]) == (0.0, [])


def test_it_ends_where_the_card_gets_no_cooler_where_it_takes_too_long_and_where_it_is_stopped() -> None:
    assert waited(falling(50.0, 0.0))[0] == STILL_S
    assert waited(falling(100.0, 0.01))[0] == LONGEST_S
    assert waited(falling(60.0, 1.0), lambda: True)[0] == 0.0
    assert waited([60.0, None])[0] == 1.0
