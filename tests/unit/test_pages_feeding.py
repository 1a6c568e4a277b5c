"""What the files cost: the fed step over the ready one, of the same contender at the same place alone."""

from __future__ import annotations

from pathlib import Path

import msgspec

from framebench import dataset
from framebench.pages.evidence import gather
from framebench.pages.feeding import feeding_table
from framebench.pages.site import render
from framebench.records import store
from harness import workloads
from harness.record import Case, Record
from tests.record_factory import CONTENDERS, make_trials, trial_id

ROOT = Path(__file__).resolve().parents[2]
FED = Case(workload="input_pipeline", preset="cpu", task="train", batch=16, cores=2)
READY = msgspec.structs.replace(FED, workload="resnet50")


def trials(case: Case, nanoseconds: float, contender: int = 0) -> list[Record]:
    one = CONTENDERS[contender : contender + 1]
    times = {one[0].slug: nanoseconds}
    seed = 7 if case == FED else 8  # ids of their own, in one campaign
    return make_trials(one, [case], 3, spread=1e-6, seed=seed, step_ns=times, campaign_id=trial_id(1))


def rows(folder: Path, records: list[Record]) -> list[list[str]]:
    for record in records:
        store.write(record, folder)
    evidence = gather(ROOT, dataset.load([folder]))
    (group,) = (one for one in evidence.groups if one.case.workload == FED.workload)
    return [[cell.text for cell in row[1:4]] for row in feeding_table(group, evidence, "").rows]


def test_the_fed_step_over_the_ready_one(tmp_path: Path) -> None:
    ((fed, ready, ratio),) = rows(tmp_path, [*trials(FED, 300e6), *trials(READY, 200e6)])
    assert (fed, ready) == ("300 ms", "200 ms")
    assert round(float(ratio.removesuffix("×")), 3) == 1.5
    page = render(gather(ROOT, dataset.load([tmp_path])))["workloads/input_pipeline.md"]
    assert isinstance(page, str) and "What the files cost" in page and ratio in page


def test_nothing_to_stand_beside(tmp_path: Path) -> None:
    another_size = msgspec.structs.replace(READY, batch=8)
    another_stack = trials(READY, 200e6, contender=1)
    assert workloads.get("resnet50").ready is None
    assert rows(tmp_path, [*trials(FED, 300e6), *trials(another_size, 200e6), *another_stack]) == []
