"""Serving & export: what ran is beside its framework, what failed has its words, and no export answers for one."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

import markdown
import msgspec
import pytest

from framebench import dataset
from framebench.campaign import suites
from framebench.campaign.unsupported import cause_anywhere
from framebench.pages import home, serving
from framebench.pages.evidence import Evidence, gather
from framebench.pages.render import page
from framebench.pages.words import families
from framebench.records import store
from harness.record import Contender
from tests.record_factory import CASE, make_failed, make_trials

ROOT = Path(__file__).resolve().parents[2]
INFER = msgspec.structs.replace(CASE, task="infer")
TORCH = Contender(stack="torch", mode="eager")
TENSORFLOW = Contender(stack="tensorflow", mode="eager")
RUNS = Contender(stack="onnxruntime-torch", mode="compiled")
FAILS = Contender(stack="onnxruntime-jax", mode="compiled")
FACTS = {"exporter": "torch.onnx.export", "file_bytes": 3 * 2**20, "export_ms": 5500, "load_ms": 40}
WORDS = "ONNX Runtime does not run what jax2onnx wrote: Unsupported pooling size."


@pytest.fixture
def evidence(tmp_path: Path) -> Evidence:
    times = {TORCH.slug: 80e6, TENSORFLOW.slug: 60e6, RUNS.slug: 20e6}
    for record in make_trials([TORCH, TENSORFLOW, RUNS], [INFER], step_ns=times):
        if record.contender == RUNS and record.settings:
            settings = msgspec.structs.replace(record.settings, compile=FACTS)
            record = msgspec.structs.replace(record, settings=settings)
        store.write(record, tmp_path)
    store.write(make_failed("unsupported", WORDS, kind="parity", case=INFER, contender=FAILS), tmp_path)
    return gather(ROOT, dataset.load([tmp_path]))


def texts(row: Any) -> list[str]:
    return [cell.text for cell in row]


def test_the_matrix_has_the_ratio_to_the_source_and_what_fails(evidence: Evidence) -> None:
    table = serving.view(evidence)["matrix"]
    assert len(table.head) == 2 and "convstack" in table.head[1]
    assert [row[0].text for row in table.rows] == ["JAX, ONNX Runtime", "PyTorch, ONNX Runtime"]
    by_source = {row[0].text: row[1] for row in table.rows}
    assert by_source["JAX, ONNX Runtime"].text == "fails" and "fb-no" in by_source["JAX, ONNX Runtime"].css
    assert 3.8 < float(by_source["PyTorch, ONNX Runtime"].text.rstrip("×")) < 4.2
    assert by_source["PyTorch, ONNX Runtime"].href is not None and by_source[
        "PyTorch, ONNX Runtime"
    ].href.startswith("../results/")


def test_each_case_has_the_files_facts_and_the_words_of_what_failed(evidence: Evidence) -> None:
    (case,) = serving.view(evidence)["cases"]
    (row,) = case.table.rows
    assert row[0].text.startswith("ONNX Runtime, from PyTorch")
    assert {"3.00 MiB", "5.50 s", "40.0 ms"} <= set(texts(row))
    assert [name.startswith("ONNX Runtime, from JAX") for name, _said in case.failures] == [True]
    assert WORDS in case.failures[0][1]
    text = page(ROOT / "site" / "templates", "serving.md.j2", **serving.view(evidence))
    assert WORDS in text


def test_the_source_is_taken_at_its_best(tmp_path: Path) -> None:
    compiled = msgspec.structs.replace(TORCH, mode="compiled")
    times = {TORCH.slug: 80e6, compiled.slug: 40e6, TENSORFLOW.slug: 10e6, RUNS.slug: 20e6}
    for record in make_trials([TORCH, compiled, TENSORFLOW, RUNS], [INFER], step_ns=times):
        store.write(record, tmp_path)
    (row,) = serving.view(gather(ROOT, dataset.load([tmp_path])))["matrix"].rows
    assert 1.9 < float(row[1].text.rstrip("×")) < 2.1


def test_words_are_shown_as_they_were_said(tmp_path: Path) -> None:
    said = "no <op> for L['inputs'][0].size()[0] in *this* __model__ | `x`"
    store.write(make_failed("unsupported", said, kind="parity", case=INFER, contender=FAILS), tmp_path)
    text = page(
        ROOT / "site" / "templates", "serving.md.j2", **serving.view(gather(ROOT, dataset.load([tmp_path])))
    )
    shown = markdown.markdown(text.partition("---\n")[2], extensions=["attr_list", "tables"])
    assert said in html.unescape(re.sub(r"<[^>]*>", "", shown))


def test_an_export_without_its_source_beside_it_runs_and_has_no_ratio(tmp_path: Path) -> None:
    for record in make_trials([TENSORFLOW, RUNS], [INFER], step_ns={TENSORFLOW.slug: 60e6, RUNS.slug: 20e6}):
        store.write(record, tmp_path)
    (row,) = serving.view(gather(ROOT, dataset.load([tmp_path])))["matrix"].rows
    assert texts(row)[1:] == ["runs"]


def test_an_export_whose_gate_has_passed_and_that_waits_for_its_clock_has_not_failed(tmp_path: Path) -> None:
    for record in make_trials([TORCH, RUNS], [INFER], step_ns={TORCH.slug: 80e6, RUNS.slug: 20e6}):
        if record.contender != RUNS or record.kind == "parity":
            store.write(record, tmp_path)
    seen = serving.view(gather(ROOT, dataset.load([tmp_path])))
    (row,) = seen["matrix"].rows
    assert texts(row)[1:] == ["not timed yet"] and "fb-no" not in row[1].css
    (case,) = seen["cases"]
    assert case.failures == [] and case.table.rows == []


def test_no_answer_is_given_by_an_export(evidence: Evidence) -> None:
    (answer,) = evidence.dataset.answers
    assert [result.contender for result in answer.best] == [TENSORFLOW, TORCH]
    assert answer.not_ranked == []
    assert "ONNX" not in home.view(evidence)["frameworks"] and "onnxruntime" not in families()


def test_a_site_without_exports_says_how_to_measure_them(tmp_path: Path) -> None:
    text = page(
        ROOT / "site" / "templates", "serving.md.j2", **serving.view(gather(ROOT, dataset.load([tmp_path])))
    )
    assert "framebench run --suite export" in text


def test_training_is_refused_before_anything_is_fetched() -> None:
    (case, *_others) = suites.load(ROOT, "smoke").expand(2)
    cause = cause_anywhere(case, RUNS)
    assert case.task == "train" and cause is not None and "does not train" in cause.reason
    decode = msgspec.structs.replace(case, workload="gpt", task="decode")
    assert cause_anywhere(decode, RUNS) is None
    cause = cause_anywhere(decode, Contender(stack="onnxruntime-keras-torch", mode="compiled"))
    assert cause is not None and "not the cache that decode changes" in cause.reason
    assert cause_anywhere(msgspec.structs.replace(case, task="infer"), RUNS) is None
