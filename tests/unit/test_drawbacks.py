"""What speaks against the best one: from measured first steps, memory and failures alone, and said beside the least."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from framebench import dataset
from framebench.dataset.answers import Answer
from framebench.dataset.drawbacks import Drawbacks
from framebench.pages import data
from framebench.pages.answer_words import plain
from framebench.pages.evidence import gather
from framebench.records import store
from harness.record import Memory, Phase, Record
from tests.record_factory import CASE, CONTENDERS, GPT_CASE, make_failed, make_record, make_trials, trial_id

ROOT = Path(__file__).resolve().parents[2]
EAGER, TORCH, TENSORFLOW, KERAS = CONTENDERS
MIB = 2**20


def with_first_step(record: Record, seconds: float) -> Record:
    phases = [
        Phase(name=one.name, wall_ns=int(seconds * 1e9), cpu_ns=one.cpu_ns)
        if one.name == "first_step"
        else one
        for one in record.phases
    ]
    return msgspec.structs.replace(record, phases=phases)


def trials(
    seconds: Mapping[str, float],
    memory: Mapping[str, int] | None = None,
    kinds: Sequence[Any] = ("cold-start",),
) -> list[Record]:
    """First steps from an empty cache by contender, and what the work takes beyond the import, in MiB."""
    records = []
    for record in make_trials(kinds=("parity", "timing", *kinds)):
        slug = record.contender.slug
        records.append(with_first_step(record, seconds.get(slug, 0.1)) if record.phases else record)
    for number, (slug, mebibytes) in enumerate((memory or {}).items()):
        (contender,) = [one for one in CONTENDERS if one.slug == slug]
        used = Memory(
            allocator_peak=None,
            device_delta=None,
            host_rss_peak=(300 + mebibytes) * MIB,
            host_rss_after_import=300 * MIB,
            reasons={"allocator_peak": "no peak is kept", "device_delta": "no GPU"},
        )
        records.append(
            make_record(
                kind="memory",
                contender=contender,
                memory=used,
                telemetry=None,
                trial_id=trial_id(9_000_000 + number),
            )
        )
    return records


def answered(folder: Path, records: Sequence[Record]) -> tuple[Answer, Drawbacks, str]:
    for record in records:
        store.write(record, folder)
    (one,) = [a for a in dataset.load([folder]).answers if a.question.workload == CASE.workload]
    assert one.state == "answered" and one.best[0].contender == TORCH and one.against is not None
    return one, one.against, plain(one)


def test_a_long_first_step_is_said_with_the_shortest_of_the_others_and_when_it_has_paid(
    tmp_path: Path,
) -> None:
    seconds = {TORCH.slug: 19.0, TENSORFLOW.slug: 4.0, KERAS.slug: 2.0}
    one, against, said = answered(tmp_path, trials(seconds))
    start = against.later_start
    assert start is not None and start.cache == "cold" and start.other.contender == KERAS
    step, other = one.best[0].time_ns, start.other.time_ns
    assert step is not None and other is not None and start.repaid_steps is not None
    steps = start.repaid_steps
    assert 19e9 + steps * step.value <= 2e9 + steps * other.value
    assert 19e9 + (steps - 1) * step.value > 2e9 + (steps - 1) * other.value
    assert "Against PyTorch, torch.compile: its first step takes 19.0 s with an empty compile cache" in said
    assert "that of Keras on JAX 2.00 s (caught up after" in said


def test_without_a_cold_start_of_all_the_warm_ones_are_compared(tmp_path: Path) -> None:
    _one, against, said = answered(tmp_path, trials({TORCH.slug: 9.0}, kinds=()))
    assert against.later_start is not None and against.later_start.cache == "warm"
    assert "its first step takes 9.00 s, that of" in said and "cache" not in said


@pytest.mark.parametrize("own", [0.14, 0.9])
def test_a_first_step_that_is_hardly_longer_is_not_held_against_it(tmp_path: Path, own: float) -> None:
    _one, against, said = answered(tmp_path, trials({TORCH.slug: own}))
    assert against.later_start is None and "first step takes" not in said


def test_memory_is_said_with_the_least_of_the_others(tmp_path: Path) -> None:
    memory = {TORCH.slug: 208, TENSORFLOW.slug: 80, KERAS.slug: 120}
    _one, against, said = answered(tmp_path, trials({}, memory))
    assert against.more_memory is not None
    assert (against.more_memory.own, against.more_memory.least) == (208 * MIB, 80 * MIB)
    assert "it needs 208 MiB of memory for the work, TensorFlow 80.0 MiB" in said


def test_what_was_not_measured_is_no_advantage(tmp_path: Path) -> None:
    _one, against, said = answered(tmp_path, trials({}, {TORCH.slug: 208}))
    assert against.more_memory is None and against.compared == {"first step"}
    assert "Not measured beside the others: memory." in said and "speaks against it" not in said


def test_where_nothing_speaks_against_it_the_answer_says_that_both_were_looked_at(tmp_path: Path) -> None:
    memory = {TORCH.slug: 100, TENSORFLOW.slug: 90}
    _one, _against, said = answered(tmp_path, trials({}, memory))
    assert "Neither the first step nor the memory of PyTorch, torch.compile speaks against it." in said


def test_cases_that_it_cannot_do_are_named_and_other_contenders_failures_are_not(tmp_path: Path) -> None:
    failures = [
        make_failed("unsupported", "no graph", case=GPT_CASE, contender=TORCH, trial_id=trial_id(9_100_001)),
        make_failed("crashed", "signal 11", case=GPT_CASE, contender=EAGER, trial_id=trial_id(9_100_002)),
    ]
    _one, against, said = answered(tmp_path, trials({}) + failures)
    assert [(one.case, one.status) for one in against.failed_elsewhere] == [(GPT_CASE, "unsupported")]
    assert "it has no figure for: Train gpt (unsupported)" in said and "crashed" not in said


def test_failed_trials_of_the_case_itself_are_counted(tmp_path: Path) -> None:
    failed = make_failed("crashed", "signal 11", contender=TORCH, round=6, trial_id=trial_id(9_200_000))
    reason = "container_lost: the Docker engine went away"  # which speaks against nobody
    lost = make_failed("invalid", reason, contender=TORCH, round=7, trial_id=trial_id(9_200_001))
    records = [*trials({}), failed, lost]
    _one, against, said = answered(tmp_path, records)
    assert (against.failed_trials, against.timing_trials) == (1, 6)
    assert "1 of its 6 timing trials here failed" in said


def test_the_download_has_what_the_sentence_says(tmp_path: Path) -> None:
    memory = {TORCH.slug: 208, TENSORFLOW.slug: 80}
    _one, against, said = answered(tmp_path, trials({TORCH.slug: 19.0}, memory))
    rows = json.loads(data.files(gather(ROOT, dataset.load([tmp_path])))["data/answers.json"])
    assert rows[0]["sentence"] == said
    assert rows[0]["first_step_ns"] == 19e9 and rows[0]["first_step_cache"] == "cold"
    assert (rows[0]["peak_memory_bytes"], rows[0]["peak_memory_least_bytes"]) == (208 * MIB, 80 * MIB)
    assert against.later_start is not None
    assert rows[0]["first_step_repaid_steps"] == against.later_start.repaid_steps


def test_the_hardware_is_said(tmp_path: Path) -> None:
    _one, _against, said = answered(tmp_path, trials({}))
    assert said.endswith("Measured on 2 cores of AMD EPYC, fp32.")


def test_cards_side_by_side_are_of_one_host_where_they_can_be(tmp_path: Path) -> None:
    both = make_trials(cases=[CASE, GPT_CASE], host_id="amd-2c-1")
    newer = [
        msgspec.structs.replace(record, started_utc=f"2026-11-27{record.started_utc[10:]}")
        for record in make_trials(cases=[CASE], host_id="zen-2c-2", seed=8)
    ]
    for record in both + newer:
        store.write(record, tmp_path)
    hosts = {one.case.host_id for one in dataset.load([tmp_path]).answers if one.case}
    assert hosts == {"amd-2c-1"}
