"""One contender measured in images of several versions: told apart wherever it is named, paired within its image."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from framebench import dataset
from framebench.commands import show
from framebench.pages import compare, home
from framebench.pages.compiling import compiling_table
from framebench.pages.evidence import Evidence, gather
from framebench.records import store
from harness.record import ImageRef, Record
from tests.record_factory import CONTENDERS, make_trials, sha

ROOT = Path(__file__).resolve().parents[2]
TORCH = CONTENDERS[:2]
NEW, OLD = "torch-eager@2.13.0-cpu-py311", "torch-eager@2.9.1-cpu-py311"


def older(slower: float = 2.0) -> list[Record]:
    """PyTorch again, a day later, in an image of an earlier version that takes ``slower`` times as long."""
    name = "torch-2.9.1-cpu-py311"
    image = ImageRef(name=name, config_digest=f"sha256:{sha(name)}", lock_sha256=sha("lock"), compiler="g++")
    times = {"torch-eager": 80e6 * slower, "torch-compiled": 60e6 * slower}
    return make_trials(TORCH, seed=8, step_ns=times, image=image, started_utc="2026-11-24T08:00:00Z")


@pytest.fixture
def records(tmp_path: Path) -> Path:
    for record in [*make_trials(), *older()]:
        store.write(record, tmp_path)
    return tmp_path


@pytest.fixture
def evidence(records: Path) -> Evidence:
    return gather(ROOT, dataset.load([records]))


def test_only_who_has_several_versions_is_named_with_them(evidence: Evidence) -> None:
    assert {result.label for result in evidence.dataset.results} == {
        NEW,
        OLD,
        "torch-compiled@2.13.0-cpu-py311",
        "torch-compiled@2.9.1-cpu-py311",
        "tensorflow-compiled-graph",
        "keras-jax-compiled-loop",
    }
    assert not any(result.superseded for result in evidence.dataset.results)
    assert {result.label for result in dataset.results(make_trials())} == {one.slug for one in CONTENDERS}


def test_the_latest_version_is_the_baseline_though_it_was_measured_first(evidence: Evidence) -> None:
    (case,) = evidence.dataset.comparisons
    assert case.declared and case.baseline is not None and case.baseline.label == NEW
    rows = {row.result.label: row for row in case.rows}
    assert rows[NEW].is_baseline and not rows[OLD].is_baseline
    ratio = rows[OLD].time_ratio
    assert ratio is not None and ratio.value == pytest.approx(2.0, rel=0.05)


def test_a_reader_can_choose_either_version_as_the_baseline(evidence: Evidence) -> None:
    options = {option.value: option for option in compare.view(evidence)["baselines"]}
    assert options[""].chosen and NEW in options and options[OLD].text == "PyTorch, eager (2.9.1-cpu-py311)"
    (tables,) = json.loads(compare.baselines_json(evidence)).values()
    ids = {result.label: result.id for result in evidence.dataset.results}
    assert ids[OLD] in tables[NEW] and ids[NEW] in tables[OLD]
    assert float(tables[OLD][ids[NEW]][0]) == pytest.approx(
        2.0, rel=0.05
    )  # speed of the newer over the older


def test_compiled_stands_beside_eager_of_the_same_version(evidence: Evidence) -> None:
    (group,) = evidence.groups
    rows = {row[0].text: row for row in compiling_table(group, "").rows}
    assert set(rows) == {f"PyTorch, torch.compile ({label.partition('@')[2]})" for label in (NEW, OLD)}
    assert all(row[6].text.startswith("1.3") for row in rows.values())  # 80 / 60 in both, never 160 / 60


def test_overall_and_the_terminal_name_the_version(evidence: Evidence, records: Path) -> None:
    assert {(item.label, item.baseline) for item in evidence.dataset.overall} >= {(NEW, NEW), (OLD, NEW)}
    said = io.StringIO()
    show.run(ROOT, records, None, Console(file=said, width=200))
    assert OLD in said.getvalue() and NEW in said.getvalue()


def test_home_answers_with_the_version_that_is_best(records: Path) -> None:
    scenario = home.scenario(home.Question("convstack", "train"), gather(ROOT, dataset.load([records])))
    assert "<strong>PyTorch, torch.compile (2.13.0-cpu-py311)</strong> is the fastest" in scenario.sentence
