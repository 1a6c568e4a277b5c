"""Where an inference's time goes: phases beside the whole, of the same case at the same place; no question alone."""

from __future__ import annotations

from pathlib import Path

import msgspec

from framebench import dataset
from framebench.pages import home
from framebench.pages.evidence import gather
from framebench.pages.phases import phases_table
from framebench.records import store
from harness.record import PHASES, Case, Record
from tests.record_factory import CONTENDERS, make_trials

ROOT = Path(__file__).resolve().parents[2]
WHOLE = Case(workload="fasterrcnn", preset="cpu", task="infer", batch=4, cores=2)
TWO = CONTENDERS[:2]
SECONDS = {"infer": 0.100, "backbone": 0.060, "rpn": 0.010, "roi": 0.050}


def phase(task: str, **changes: object) -> Case:
    return msgspec.structs.replace(WHOLE, task=task, **changes)


def trials(case: Case, seed: int, contenders: int = 2) -> list[Record]:
    step = {one.slug: SECONDS[case.task] * 1e9 for one in TWO}
    return make_trials(TWO[:contenders], [case], rounds=3, spread=1e-6, seed=seed, step_ns=step)


def rows(folder: Path, records: list[Record]) -> list[list[str]]:
    for record in records:
        store.write(record, folder)
    groups = gather(ROOT, dataset.load([folder])).groups
    whole = next(one for one in groups if one.case == WHOLE)
    assert all(not phases_table(one, groups, "").rows for one in groups if one.case.task != "infer")
    table = phases_table(whole, groups, "")
    return [table.head, *([cell.text for cell in row] for row in table.rows)]


def test_each_phase_stands_beside_the_whole(tmp_path: Path) -> None:
    records = [record for seed, task in enumerate(SECONDS) for record in trials(phase(task), seed)]
    head, *found = rows(tmp_path, records)
    assert head == [
        "Contender", "Whole step", "its backbone alone", "its proposals alone", "its second stage alone", "Sum ÷ whole",
    ]  # fmt: skip
    assert len(found) == 2
    for row in found:
        # at most the spread between rounds away from what was put in
        assert row[1:] == ["100 ms", "60.0 ms (50 %)", "10.0 ms (8.3 %)", "50.0 ms (42 %)", "1.20×"]


def test_what_is_not_measured_leaves_a_gap_and_no_sum(tmp_path: Path) -> None:
    found = trials(phase("infer"), 0) + trials(phase("backbone"), 1) + trials(phase("rpn"), 2, contenders=1)
    head, *both = rows(tmp_path, found)
    assert "its second stage alone" not in head
    assert sorted(row[-1] for row in both) == ["0.700×", "–"]
    assert sorted(row[3] for row in both) == ["10.0 ms (14 %)", "–"]


def test_another_size_or_batch_is_not_beside_it(tmp_path: Path) -> None:
    others = [phase("rpn", preset="smoke"), phase("rpn", batch=2), phase("rpn", precision="tf32")]
    records = trials(WHOLE, 0) + [r for seed, case in enumerate(others, 1) for r in trials(case, seed)]
    assert rows(tmp_path, records)[1:] == []


def test_a_phase_is_no_question(tmp_path: Path) -> None:
    for record in trials(WHOLE, 0) + trials(phase("roi"), 1):
        store.write(record, tmp_path)
    asked = {answer.question.task for answer in dataset.load([tmp_path]).answers}
    assert asked == {"infer"}
    assert not {question.task for question in home.declared()} & set(PHASES)
