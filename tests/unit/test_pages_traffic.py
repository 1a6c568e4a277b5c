"""What a step moves against the machine's copy: drawn from the data, and from today's configuration alone."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from framebench import dataset
from framebench.pages.evidence import gather
from framebench.pages.site import render
from framebench.pages.traffic import traffic_table
from framebench.records import store
from harness import workloads
from harness.record import Case, Record
from tests.record_factory import CONTENDERS, make_record, make_trials

ROOT = Path(__file__).resolve().parents[2]
OPS = workloads.get("ops")
SOFTMAX = Case(workload="ops", preset="softmax", task="call", batch=1000, cores=2)
MOVED = 2 * 4 * 512 * 1000  # read once, written once, in fp32


def trials(case: Case, nanoseconds: float, config: str | None) -> list[Record]:
    one = CONTENDERS[:1]
    made = make_trials(one, [case], rounds=3, spread=1e-6, step_ns={one[0].slug: nanoseconds})
    made = [msgspec.structs.replace(record, workload_config_sha256=config) for record in made]
    return [
        msgspec.structs.replace(record, timing=msgspec.structs.replace(record.timing, flops_per_step=0))
        if record.timing
        else record
        for record in made
    ]


def rows(folder: Path, records: list[Record]) -> list[list[str]]:
    for record in records:
        store.write(record, folder)
    evidence = gather(ROOT, dataset.load([folder]))
    (group,) = (one for one in evidence.groups if one.case.workload in ("ops", "mlp"))
    return [[cell.text for cell in row[1:]] for row in traffic_table(group, evidence, "").rows]


def today(case: Case) -> str:
    spec = workloads.get(case.workload)
    return spec.config_sha256(spec.presets[case.preset])


@pytest.mark.parametrize(("nanoseconds", "rate"), [(1.05e6, "3.90 GB/s"), (2e6, "2.05 GB/s")])
def test_bytes_per_second_follow_the_time(tmp_path: Path, nanoseconds: float, rate: str) -> None:
    assert rows(tmp_path, trials(SOFTMAX, nanoseconds, today(SOFTMAX))) == [[rate, "–"]]


def test_a_measured_copy_gives_the_share(tmp_path: Path) -> None:
    ceiling = make_record(kind="ceiling", round=0, trial_id="0" * 26)
    assert ceiling.ceiling is not None and ceiling.ceiling.copy_bytes_per_s is not None
    share = 100 * MOVED / 1.05e-3 / ceiling.ceiling.copy_bytes_per_s
    made = rows(tmp_path, [*trials(SOFTMAX, 1.05e6, today(SOFTMAX)), ceiling])
    assert made == [["3.90 GB/s", f"{share:.0f} %"]]


def test_another_configuration_precision_or_workload_is_not_worked_out(tmp_path: Path) -> None:
    mlp = Case(workload="mlp", preset="smoke", task="train", batch=32, cores=2)
    bf16 = msgspec.structs.replace(SOFTMAX, precision="bf16")
    for name, case, config in (
        ("older", SOFTMAX, "0" * 64),
        ("unknown", SOFTMAX, None),
        ("bf16", bf16, today(SOFTMAX)),
        ("mlp", mlp, today(mlp)),
    ):
        assert rows(tmp_path / name, trials(case, 1e6, config)) == []


def test_the_workloads_page_shows_it_and_no_share_of_products_where_there_are_none(tmp_path: Path) -> None:
    for record in trials(SOFTMAX, 1.05e6, today(SOFTMAX)):
        store.write(record, tmp_path)
    page = render(gather(ROOT, dataset.load([tmp_path])))["workloads/ops.md"]
    assert isinstance(page, str) and "How much it moves" in page and "3.90 GB/s" in page
    assert "How much of the machine that is" not in page
