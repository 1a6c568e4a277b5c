"""Units, tasks, precisions and measures by their names, on pages, in downloads and in the terminal."""

from __future__ import annotations

import io
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from framebench import dataset
from framebench.commands import show
from framebench.commands.phrases import outcome_line
from framebench.pages import learning, words
from framebench.pages.chart import chart
from framebench.pages.evidence import Evidence, gather
from framebench.records import store
from harness import flags
from harness.record import Case, Record
from tests import record_factory
from tests.record_factory import CASE, CONTENDERS, GPT_CASE, MLP_CASE, make_record, make_trials

ROOT = Path(__file__).resolve().parents[2]


def evidence(folder: Path, records: list[Record]) -> Evidence:
    for record in records:
        store.write(record, folder)
    return gather(ROOT, dataset.load([folder]))


def with_unit(record: Record, unit: str) -> Record:
    assert record.timing is not None
    return msgspec.structs.replace(record, timing=msgspec.structs.replace(record.timing, unit=unit))


def test_charts_count_in_their_own_unit(tmp_path: Path) -> None:
    found = evidence(tmp_path, make_trials(cases=[CASE, GPT_CASE], rounds=2))
    assert {group.case.workload: chart(group, "").unit for group in found.groups} == {
        "convstack": "images/s",
        "gpt": "tokens/s",
    }


def test_where_older_records_stand_beside_newer_ones_the_common_word_is_used(tmp_path: Path) -> None:
    new = make_trials(contenders=CONTENDERS[:1], kinds=("timing",), rounds=1)
    old = make_trials(contenders=CONTENDERS[1:2], kinds=("timing",), rounds=1, seed=8)
    (group,) = evidence(tmp_path, new + [with_unit(record, "samples") for record in old]).groups
    assert chart(group, "").unit == "samples/s"


def test_downloads_name_what_they_count() -> None:
    records = make_trials(cases=[CASE, GPT_CASE], contenders=CONTENDERS[:1], rounds=1)
    for frame in (dataset.trials_frame(records), dataset.results_frame(dataset.results(records))):
        timed = frame[frame["units_per_s"].notna()].set_index("workload")
        assert timed.loc["gpt", "unit"] == "tokens" and timed.loc["convstack", "unit"] == "images"
        assert timed.loc["gpt", "units_per_s"] == pytest.approx(512e9 / timed.loc["gpt", "step_ns"])
        assert timed.loc["gpt", "flops_causal_per_step"] == 3_300_000_000
        assert timed["flops_causal_per_step"].isna().loc["convstack"]
        assert timed.loc["gpt", "learning_measure"] == "validation loss"


def test_a_shape_that_nobody_could_check_is_no_pass() -> None:
    checked = make_record()
    unchecked = msgspec.structs.replace(checked, shape_after=None)
    frame = dataset.trials_frame([checked])
    assert frame["shape_checked"].tolist() == [True]
    assert dataset.trials_frame([unchecked])["shape_checked"].isna().all()


def test_the_terminal_counts_in_the_same_unit_and_says_flags_in_words(tmp_path: Path) -> None:
    record = make_record(case=GPT_CASE, flags=[flags.SHAPE_UNCHECKED])
    assert outcome_line(record) == "6,396 tokens/s  [timed shape unchecked]"
    store.write(record, tmp_path)
    said = io.StringIO()
    show.run(ROOT, tmp_path, None, Console(file=said, width=200))
    assert "tokens/s" in said.getvalue() and "gate not passed yet" in said.getvalue()


def test_every_task_unit_and_measure_of_the_record_has_its_words() -> None:
    schema = msgspec.json.schema(Record)["$defs"]
    assert set(schema["Case"]["properties"]["task"]["enum"]) == set(words.TASKS)
    assert set(schema["Timing"]["properties"]["unit"]["enum"]) == set(words.UNITS) == set(words.ONE_OF)
    assert set(schema["Learning"]["properties"]["measure"]["enum"]) == set(words.MEASURES)


@pytest.mark.parametrize(
    ("task", "precision", "said"),
    [
        ("train", "fp32", "fp32"),
        ("infer", "tf32", "fp32 with TF32 products"),
        ("train", "bf16", "bf16 compute, fp32 weights"),
        ("decode", "bf16", "bf16 weights and compute"),
    ],
)
def test_a_precision_says_what_it_means_for_the_task(task: str, precision: str, said: str) -> None:
    fields = {
        "workload": "gpt",
        "preset": "cpu",
        "task": task,
        "batch": 1,
        "precision": precision,
        "cores": 2,
    }
    assert words.precision_name(msgspec.convert(fields, Case)) == said


def test_an_accuracy_goes_up_to_100_per_cent_and_its_target_lies_below(tmp_path: Path) -> None:
    records = [record for record in make_trials(cases=[MLP_CASE], rounds=2) if record.kind == "timing"]
    plot = learning.of_trials(records)
    assert plot is not None and (plot.y_name, plot.y_top) == ("Test accuracy", "100 %")
    assert plot.rule is not None and plot.rule < 50 and "at or above" in plot.rule_label
    (group,) = evidence(tmp_path, records).groups
    assert "Within ± 1 point" in learning.group_table(group, "").head


def test_a_loss_goes_down_to_its_target_and_has_no_per_cent(tmp_path: Path) -> None:
    records = [record for record in make_trials(cases=[GPT_CASE], rounds=2) if record.kind == "timing"]
    plot = learning.of_trials(records)
    assert plot is not None and (plot.y_name, plot.y_top, plot.y_bottom) == (
        "Validation loss",
        "4.50",
        "1.90",
    )
    assert plot.rule is not None and plot.rule > 90 and "lower is better" in plot.rule_label
    assert plot.traces[0].path.startswith("m0+0l") and "-" not in plot.traces[0].path  # from above to below
    (group,) = evidence(tmp_path, records).groups
    table = learning.group_table(group, "")
    assert "Final validation loss" in table.head and "Within ± 0.01" in table.head
    assert not any("%" in cell.text for row in table.rows for cell in row)
    trial = learning.trial_table(records)
    assert trial is not None and trial.head[-1] == "Final validation loss"
    assert trial.rows[0][-1].text == "1.900"


def test_a_target_that_was_not_reached_is_said(tmp_path: Path) -> None:
    record = make_record(case=GPT_CASE, learning=record_factory.learning_loss(final=2.4))
    table = learning.trial_table([record])
    assert table is not None and [cell.text for cell in table.rows[0][2:4]] == ["not reached", "–"]
