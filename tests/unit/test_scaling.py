"""What more devices bring: speed and efficiency against the same contender on one, in the download and on the page."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from framebench import dataset
from framebench.dataset.same_contender import by_case
from framebench.dataset.scaling import Scaling, scaling
from framebench.pages.evidence import gather
from framebench.pages.site import render
from framebench.records import store
from harness.record import Case, Record
from tests.record_factory import CONTENDERS, make_trials, trial_id

ROOT = Path(__file__).resolve().parents[2]
ALONE = Case(workload="gpt", preset="cpu", task="train", batch=8, cores=2)
SHARED = msgspec.structs.replace(ALONE, device_count=2)


def trials(case: Case, nanoseconds: float, contender: int = 0, rounds: int = 3) -> list[Record]:
    one = CONTENDERS[contender : contender + 1]
    seed = 10 + 2 * case.device_count + contender + case.batch  # ids of their own, in one campaign
    times = {one[0].slug: nanoseconds}
    return make_trials(one, [case], rounds, spread=1e-3, seed=seed, step_ns=times, campaign_id=trial_id(1))


def found(folder: Path, records: list[Record]) -> list[Scaling]:
    for record in records:
        store.write(record, folder)
    results = dataset.load([folder]).results
    return scaling(results, by_case(results))


def test_on_a_cpu_the_devices_are_shares_of_the_same_cores(tmp_path: Path) -> None:
    (one,) = found(tmp_path, [*trials(ALONE, 100e6), *trials(SHARED, 125e6)])
    assert (one.held, one.shared.case, one.alone.case) == ("whole", SHARED, ALONE)
    assert one.speed.value == pytest.approx(0.8, rel=0.01) and one.efficiency == one.speed
    assert one.speed.low is not None and one.speed.high is not None
    assert one.speed.low < one.speed.value < one.speed.high


def test_with_the_same_batch_for_each_device_twice_the_samples_count(tmp_path: Path) -> None:
    half = msgspec.structs.replace(ALONE, batch=4)
    (one,) = found(tmp_path, [*trials(half, 100e6), *trials(SHARED, 125e6)])
    assert one.held == "per device" and one.speed.value == pytest.approx(1.6, rel=0.01)


def test_gpus_are_more_hardware(tmp_path: Path) -> None:
    alone, shared = (msgspec.structs.replace(case, device="gpu") for case in (ALONE, SHARED))
    (one,) = found(tmp_path, [*trials(alone, 100e6), *trials(shared, 60e6)])
    assert one.speed.value == pytest.approx(1 / 0.6, rel=0.01)
    assert one.efficiency.value == pytest.approx(one.speed.value / 2)
    assert one.efficiency.high == pytest.approx((one.speed.high or 0.0) / 2)


def test_nothing_to_stand_beside(tmp_path: Path) -> None:
    assert found(tmp_path, [*trials(ALONE, 100e6, contender=1), *trials(SHARED, 125e6)]) == []


def test_page_and_download_say_it(tmp_path: Path) -> None:
    records = [*trials(ALONE, 100e6), *trials(SHARED, 125e6)]
    (one,) = found(tmp_path, records)
    site = render(gather(ROOT, dataset.load([tmp_path])))
    page = site["workloads/gpt.md"]
    assert isinstance(page, str) and "What more devices bring" in page
    assert "the whole batch" in page and "2 devices" in page and "80 %" in page
    content = site["data/scaling.json"]
    (row,) = json.loads(content)
    assert row["efficiency"] == pytest.approx(one.efficiency.value) and row["held"] == "whole"
    assert row["efficiency_low"] == pytest.approx(one.efficiency.low)
    assert (row["result_id"], row["alone_id"]) == (one.shared.id, one.alone.id)
