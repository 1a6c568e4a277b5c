"""Editions: what was measured before a protocol or a workload changed is not compared with what was measured since."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framebench import dataset
from framebench.dataset.answers import Answer
from framebench.errors import UserError
from framebench.pages import compare
from framebench.pages.answer_words import plain
from framebench.pages.evidence import gather
from framebench.pages.site import render
from framebench.records import store
from harness.record import Outcome, Protocol, Record
from tests.record_factory import CASE, CONTENDERS, make_failed, make_trials, sha

ROOT = Path(__file__).resolve().parents[2]
EAGER, COMPILED, TENSORFLOW, KERAS = CONTENDERS
KINDS = ("parity", "timing")


def trials(day: int, **changes: Any) -> list[Record]:
    """Trials of a day in November; later days have later ids."""
    records = make_trials(kinds=KINDS, seed=day, **changes)
    return [
        msgspec.structs.replace(record, started_utc=f"2026-11-{day:02d}{record.started_utc[10:]}")
        for record in records
    ]


def changed(how: str) -> dict[str, Any]:
    """What differs in records from before a change."""
    if how == "protocol":
        return {"protocol": Protocol(name="cpu", measure_blocks=7)}
    return {"workload_config_sha256": sha("the workload as it was")}


def loaded(folder: Path, records: Sequence[Record]) -> dataset.Dataset:
    for record in records:
        store.write(record, folder)
    return dataset.load([folder])


def answer(data: dataset.Dataset) -> Answer:
    (one,) = data.answers
    return one


@pytest.mark.parametrize("how", ["protocol", "workload"])
def test_an_old_figure_is_not_compared_with_new_ones(tmp_path: Path, how: str) -> None:
    old = trials(3, contenders=[EAGER, TENSORFLOW], step_ns={TENSORFLOW.slug: 10e6}, **changed(how))
    new = trials(20, contenders=[EAGER, COMPILED, KERAS])
    one = answer(loaded(tmp_path, old + new))
    assert [result.contender.stack for result in one.best] == ["torch", "keras-jax"]
    assert [result.contender.stack for result in one.earlier] == ["tensorflow"]
    assert one.not_ranked == []
    said = plain(one)
    assert "TensorFlow was last measured on 2026-11-03" in said and "not compared" in said
    assert "the speed of TensorFlow" not in said


@pytest.mark.parametrize("how", ["protocol", "workload"])
def test_tables_keep_editions_apart_and_lose_nothing(tmp_path: Path, how: str) -> None:
    old = trials(3, contenders=[TENSORFLOW], **changed(how))
    evidence = gather(ROOT, loaded(tmp_path, old + trials(20, contenders=[EAGER, COMPILED])))
    newest, earlier = evidence.groups
    assert {result.contender.stack for result in newest.timed} == {"torch"} and not newest.comparison.edition
    assert {result.contender.stack for result in earlier.timed} == {"tensorflow"}
    assert newest.anchor != earlier.anchor and earlier.comparison.edition in earlier.anchor
    assert "not compared with what was measured since" in compare.note(earlier)
    assert "measured since" not in compare.note(newest)
    for group in evidence.groups:
        for result in group.timed:
            assert evidence.group_of(result) is group
    (item,) = [one for one in evidence.dataset.overall if one.contender == EAGER.slug]
    assert item.time_ratio.n == 1
    pages = render(evidence)
    assert "an earlier edition" in str(pages["compare.md"])


def test_what_the_gate_refused_stands_in_the_table_of_what_it_let_be_timed(tmp_path: Path) -> None:
    refused = [
        msgspec.structs.replace(
            record,
            parity=None,
            outcome=Outcome(status="unsupported", reason="its compiler says no"),
            provenance=msgspec.structs.replace(record.provenance, protocol_hash=sha("the gate")),
        )
        for record in trials(20, contenders=[KERAS])
        if record.kind == "parity"
    ]
    evidence = gather(ROOT, loaded(tmp_path, trials(20, contenders=[EAGER]) + refused))
    (group,) = evidence.groups
    assert {result.contender.stack for result in group.timed} == {"torch"}
    assert {result.contender.stack for result in group.comparison.absent} == {"keras-jax"}


def test_two_results_of_other_editions_are_refused_by_name(tmp_path: Path) -> None:
    data = loaded(
        tmp_path, trials(3, contenders=[TENSORFLOW], **changed("workload")) + trials(20, contenders=[EAGER])
    )
    old, new = sorted(data.results, key=lambda result: result.started_utc)
    with pytest.raises(UserError, match=f"edition {old.edition} and newest differ"):
        dataset.compare_two(data.results, old, new)


def test_a_framework_that_was_measured_again_is_not_called_outdated(tmp_path: Path) -> None:
    one = answer(loaded(tmp_path, trials(3, **changed("workload")) + trials(20)))
    assert one.earlier == [] and "last measured" not in plain(one)


def test_the_newest_edition_answers_although_the_old_one_has_more(tmp_path: Path) -> None:
    old = trials(3, contenders=[TENSORFLOW, KERAS, EAGER], **changed("workload"))
    one = answer(loaded(tmp_path, old + trials(20, contenders=[EAGER, TENSORFLOW])))
    assert one.case is not None and one.case.edition == ""
    assert [result.contender.stack for result in one.earlier] == ["keras-jax"]


def test_an_answer_that_is_outdated_as_a_whole_says_so(tmp_path: Path) -> None:
    old = trials(3, contenders=[TENSORFLOW, KERAS], **changed("workload"))
    one = answer(loaded(tmp_path, old + trials(20, contenders=[EAGER])))
    assert one.case is not None and one.case.edition
    assert "All of this was measured by 2026-11-03, before" in plain(one)


def test_a_crash_that_knows_no_workload_stands_with_the_newest_of_its_protocol(tmp_path: Path) -> None:
    crash = make_failed(
        "crashed", "exit code 139", contender=COMPILED, workload_config_sha256=None, case=CASE,
        started_utc="2026-11-21T00:00:00Z", written_by="host",
    )  # fmt: skip
    old = trials(3, contenders=[TENSORFLOW], **changed("workload"))
    data = loaded(tmp_path, [*old, *trials(20, contenders=[EAGER, KERAS]), crash])
    newest, earlier = data.comparisons
    assert [result.contender for result in newest.absent] == [COMPILED]
    assert earlier.absent == [] and earlier.edition


@given(st.data())
def test_only_what_agrees_in_protocol_and_workload_shares_a_table(data: st.DataObject) -> None:
    """Whatever was measured when: a table has one protocol and one form of the workload, and every result a table."""
    records = []
    for number, contender in enumerate(CONTENDERS):
        how = data.draw(st.sampled_from(["", "protocol", "workload"]))
        day = data.draw(st.integers(1, 28))
        changes = changed(how) if how else {}
        records += [
            msgspec.structs.replace(record, trial_id=f"{record.trial_id[:-2]}{number:02d}")
            for record in trials(day, contenders=[contender], rounds=1, **changes)
        ]
    results = dataset.results(records)
    cases = dataset.comparisons(results)
    assert sum(len(case.rows) for case in cases) == len(results)
    assert [case.edition for case in cases].count("") == 1
    newest = max(results, key=lambda result: result.started_utc)
    assert newest.edition == ""
    for case in cases:
        for one, other in itertools.pairwise(row.result.latest for row in case.rows):
            assert one.provenance.protocol_hash == other.provenance.protocol_hash
            assert one.workload_config_sha256 == other.workload_config_sha256
