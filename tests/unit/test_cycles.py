"""The ratio in cycles beside the ratio in time, and the mark where the clocks decide a part of it."""

from __future__ import annotations

import msgspec
import pytest

from framebench import dataset
from framebench.dataset.cycles import clock_mhz, disagree
from framebench.dataset.every_baseline import against_baseline
from harness.record import Metric, Record
from tests.record_factory import CASE, CONTENDERS, gpu_telemetry, make_trials, telemetry

EAGER, COMPILED = CONTENDERS[:2]
ON_GPU = msgspec.structs.replace(CASE, device="gpu")


def at(record: Record, *clocks: float | None) -> Record:
    """The trial with GPUs at these mean SM clocks."""
    gpus = [
        msgspec.structs.replace(
            one, metrics=one.metrics | {"sm_clock": Metric(unit="MHz", samples=90, mean=clock)}
        )
        for one, clock in ((gpu_telemetry(number), clock) for number, clock in enumerate(clocks))
    ]
    return msgspec.structs.replace(
        record, telemetry=msgspec.structs.replace(telemetry(), gpus=gpus, gpu_reason=None)
    )


def compared(eager_mhz: float | None, compiled_mhz: float | None) -> dataset.CaseComparison:
    clocks = {EAGER: eager_mhz, COMPILED: compiled_mhz}
    records = [
        at(record, clocks[record.contender])
        for record in make_trials(contenders=[EAGER, COMPILED], cases=[ON_GPU], spread=0.001)
    ]
    (case,) = dataset.comparisons(dataset.results(records))
    return case


@pytest.mark.parametrize(("clock", "apart"), [(1980.0, False), (1962.0, False), (1700.0, True)])
def test_cycles_are_time_at_the_clock_that_it_was_timed_at(clock: float, apart: bool) -> None:
    case = compared(1980.0, clock)
    row = next(row for row in case.rows if row.result.contender == COMPILED)
    assert row.time_ratio is not None and row.cycle_ratio is not None
    assert row.cycle_ratio == pytest.approx(row.time_ratio.value * clock / 1980.0)
    told = against_baseline(case)[row.result.id].other_in_cycles
    assert told == (pytest.approx(1 / row.cycle_ratio) if apart else None)


@pytest.mark.parametrize("clocks", [(None, 1980.0), (1980.0, None)])
def test_without_a_clock_there_are_no_cycles(clocks: tuple[float | None, float | None]) -> None:
    case = compared(*clocks)
    assert [row.cycle_ratio for row in case.rows] == [None, None]
    assert all(one.other_in_cycles is None for one in against_baseline(case).values())


def test_of_several_gpus_the_slowest_counts_and_one_that_is_unknown_makes_all_unknown() -> None:
    record = make_trials(cases=[ON_GPU], rounds=1)[-1]
    assert clock_mhz(at(record, 1980.0, 1700.0)) == 1700.0
    assert clock_mhz(at(record, 1980.0, None)) is None
    assert clock_mhz(record) is None


@pytest.mark.parametrize("clock", [0.0, -1980.0, 1e-300, 1e300])
def test_what_is_no_clock_of_anything_is_unknown(clock: float) -> None:
    assert [row.cycle_ratio for row in compared(1980.0, clock).rows] == [None, None]


def test_a_hundredth_is_the_limit() -> None:
    assert not disagree(0.8, 0.8 * 1.009) and disagree(0.8, 0.8 * 1.011) and disagree(0.8, 0.8 / 1.011)
    assert not disagree(0.8, None)
