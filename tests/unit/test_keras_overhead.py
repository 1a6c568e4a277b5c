"""What Keras costs and which backend is best: like beside like, each at its best, and pages that follow the data."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from framebench import dataset
from framebench.dataset import Result
from framebench.dataset.backends import backends
from framebench.dataset.keras_overhead import CaseOverhead, keras_overheads
from framebench.dataset.start_up import phase_median
from framebench.pages.evidence import Evidence, gather
from framebench.pages.guides import GUIDES
from framebench.pages.render import page
from framebench.records import store
from harness.record import Case, Contender, Record
from tests.record_factory import CASE, MLP_CASE, make_failed, make_trials

ROOT = Path(__file__).resolve().parents[2]
LAYOUTS = {  # as each stack records it
    "torch-eager": "NCHW",
    "torch-compiled": "NCHW",
    "torch-eager-channels-last": "NCHW, channels last",
    "keras-torch-eager-channels-first-loop": "NCHW",
}
TORCH, COMPILED = Contender(stack="torch", mode="eager"), Contender(stack="torch", mode="compiled")
LAST = Contender(stack="torch", mode="eager", variant="channels-last")
LOOP = Contender(stack="keras-torch", mode="eager", variant="loop")
FIRST_LOOP = Contender(stack="keras-torch", mode="eager", variant="channels-first-loop")
GRAPH, XLA = (Contender(stack="tensorflow", mode="compiled", variant=one) for one in ("graph", "xla"))
EAGER = Contender(stack="tensorflow", mode="eager")
GRAPH_LOOP, XLA_LOOP, XLA_DIRECT = (
    Contender(stack="keras-tensorflow", mode="compiled", variant=one)
    for one in ("graph-loop", "xla-loop", "xla-direct")
)
TIMES = {
    TORCH: 80e6, LAST: 50e6, COMPILED: 40e6, LOOP: 100e6, FIRST_LOOP: 120e6,
    EAGER: 90e6, GRAPH: 30e6, XLA: 20e6, GRAPH_LOOP: 45e6, XLA_LOOP: 50e6, XLA_DIRECT: 40e6,
}  # fmt: skip


def trials(times: Mapping[Contender, float], case: Case = CASE, **changes: Any) -> list[Record]:
    """Five rounds of each contender, in the layout that its stack would record."""
    steps = {contender.slug: time for contender, time in times.items()}
    made = make_trials([*times], [case], spread=0.001, step_ns=steps, **changes)
    return [_in_layout(record) for record in made]


def _in_layout(record: Record) -> Record:
    if record.settings is None:
        return record
    layout = LAYOUTS.get(record.contender.slug, "NHWC")
    return msgspec.structs.replace(record, settings=msgspec.structs.replace(record.settings, layout=layout))


def load(folder: Path, records: Sequence[Record]) -> Evidence:
    for record in records:
        store.write(record, folder)
    return gather(ROOT, dataset.load([folder]))


def overheads(evidence: Evidence) -> list[CaseOverhead]:
    return keras_overheads(evidence.dataset.comparisons, evidence.dataset.baselines)


def shown(name: str, evidence: Evidence) -> str:
    """The text of a guide, without its tags."""
    text = page(ROOT / "site" / "templates", f"guides/{name}.md.j2", **GUIDES[name](evidence))
    return re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", text))


def slug(result: Result) -> str:
    return result.contender.slug


def test_like_stands_beside_like(tmp_path: Path) -> None:
    (case,) = overheads(load(tmp_path, trials(TIMES)))
    assert {slug(pair.keras): slug(pair.native) for pair in case.like} == {
        "keras-torch-eager-loop": "torch-eager-channels-last",
        "keras-torch-eager-channels-first-loop": "torch-eager",
        "keras-tensorflow-compiled-graph-loop": "tensorflow-compiled-graph",
        "keras-tensorflow-compiled-xla-loop": "tensorflow-compiled-xla",
        "keras-tensorflow-compiled-xla-direct": "tensorflow-compiled-xla",
    }
    ratios = {slug(pair.keras): pair.compared for pair in case.like}
    loop = ratios["keras-torch-eager-loop"]
    assert loop is not None and loop.ratio == pytest.approx(2.0, rel=0.01) and loop.verdict == "faster"
    assert loop.low is not None and loop.high is not None and loop.low < loop.ratio < loop.high


def test_without_the_same_order_of_channels_the_plain_form_is_what_there_is(tmp_path: Path) -> None:
    (case,) = overheads(load(tmp_path, trials({TORCH: 80e6, LOOP: 100e6})))
    assert [slug(pair.native) for pair in case.like] == ["torch-eager"]


def test_each_at_its_best_crosses_modes_and_forms(tmp_path: Path) -> None:
    (case,) = overheads(load(tmp_path, trials(TIMES)))
    found = {slug(pair.keras): (slug(pair.native), pair.compared) for pair in case.best}
    assert {keras: native for keras, (native, _compared) in found.items()} == {
        "keras-torch-eager-loop": "torch-compiled",
        "keras-tensorflow-compiled-xla-direct": "tensorflow-compiled-xla",
    }
    compared = found["keras-torch-eager-loop"][1]
    assert compared is not None and compared.ratio == pytest.approx(2.5, rel=0.01)


def test_who_may_not_be_ranked_is_not_the_best_though_faster(tmp_path: Path) -> None:
    ungated = [record for record in trials({**TIMES, FIRST_LOOP: 10e6}) if record.kind != "parity"]
    gates = [record for record in trials(TIMES) if record.kind == "parity" and record.contender != FIRST_LOOP]
    (case,) = overheads(load(tmp_path, ungated + gates))
    best = {slug(pair.keras) for pair in case.best}
    assert LOOP.slug in best and FIRST_LOOP.slug not in best


def test_of_several_versions_keras_stands_beside_the_one_that_ran_it(tmp_path: Path) -> None:
    older = [
        msgspec.structs.replace(
            record,
            image=msgspec.structs.replace(record.image, name="torch-2.9.1-cpu-py311", lock_sha256="0" * 64),
            software=record.software and msgspec.structs.replace(record.software, framework="2.9.1+cpu"),
        )
        for record in trials({TORCH: 160e6}, seed=8)
    ]
    newer = [
        msgspec.structs.replace(
            record, software=msgspec.structs.replace(record.software, backend="torch 2.9.1+cpu")
        )
        if record.software and record.contender == LOOP
        else record
        for record in trials({TORCH: 80e6, LOOP: 200e6})
    ]
    (case,) = overheads(load(tmp_path, older + newer))
    assert [pair.native.image.name for pair in case.like] == ["torch-2.9.1-cpu-py311"]


def test_cases_go_from_small_to_large_and_one_without_keras_is_left_out(tmp_path: Path) -> None:
    small = [
        msgspec.structs.replace(record, timing=msgspec.structs.replace(record.timing, flops_per_step=1000))
        if record.timing
        else record
        for record in trials({TORCH: 1e6, LOOP: 3e6}, MLP_CASE, seed=8)
    ]
    infer = msgspec.structs.replace(CASE, task="infer")
    records = [*trials({TORCH: 80e6, LOOP: 90e6}), *small, *trials({TORCH: 9e6}, infer, seed=9)]
    found = overheads(load(tmp_path, records))
    assert [(one.case.case.workload, one.flops_per_step) for one in found] == [
        ("mlp", 1000),
        ("convstack", 3_500_000_000),
    ]


def test_phases_are_medians_over_the_timed_trials(tmp_path: Path) -> None:
    evidence = load(tmp_path, trials({TORCH: 80e6, LOOP: 100e6}))
    (result,) = (one for one in evidence.dataset.results if one.contender == TORCH)
    assert phase_median(result, "build") == 0.2e9 and phase_median(result, "latencies") is None


def test_the_page_follows_the_data(tmp_path: Path) -> None:
    one = shown("keras-overhead", load(tmp_path / "one", trials({TORCH: 80e6, LOOP: 120e6})))
    other = shown("keras-overhead", load(tmp_path / "other", trials({TORCH: 80e6, LOOP: 400e6})))
    ratio = re.compile(r"([\d.]+)× \([^)]*\), faster")
    assert [float(found) for found in ratio.findall(one)] == pytest.approx([1.5, 1.5], rel=0.01)
    assert [float(found) for found in ratio.findall(other)] == pytest.approx([5.0, 5.0], rel=0.01)
    assert "Import" in one and "2.10 s" in one  # where the time goes
    assert "Not measured yet" not in one


def test_the_loop_stands_beside_the_direct_step(tmp_path: Path) -> None:
    direct = msgspec.structs.replace(LOOP, variant="direct")
    view = GUIDES["keras-overhead"](load(tmp_path, trials({TORCH: 80e6, LOOP: 120e6, direct: 90e6})))
    ((row,),) = [case.loop.rows for case in view["cases"]]
    assert row[0].text == "Keras on PyTorch, eager, fit/predict" and float(row[3].text[:-1]) == pytest.approx(
        0.75, rel=0.01
    )


def test_the_best_backend_stands_over_each_other(tmp_path: Path) -> None:
    evidence = load(tmp_path, trials({TORCH: 80e6, LOOP: 100e6, FIRST_LOOP: 60e6, GRAPH_LOOP: 30e6}))
    (case,) = backends(evidence.dataset.comparisons, evidence.dataset.baselines)
    assert [slug(one) for one in case.best] == [
        "keras-tensorflow-compiled-graph-loop",
        "keras-torch-eager-channels-first-loop",
    ]
    (over,) = case.over_others.values()
    assert over.ratio == pytest.approx(2.0, rel=0.01) and over.verdict == "faster"
    (row,) = GUIDES["keras-backends"](evidence)["fastest"].rows
    assert [cell.text for cell in row][1:4] == ["–", row[2].text, "best"] and row[2].text.startswith("2.0")


def test_what_does_not_run_has_its_words_and_only_kerass_own(tmp_path: Path) -> None:
    words = "Dynamo does not take this layer"
    broken = Contender(stack="keras-torch", mode="compiled", variant="direct")
    failed = [
        make_failed("unsupported", words, contender=broken, trial_id="0" * 26),
        make_failed("unsupported", "not of Keras", contender=COMPILED, trial_id="1" * 26),
    ]
    evidence = load(tmp_path, [*trials({TORCH: 80e6, LOOP: 100e6}), *failed])
    text = shown("keras-backends", evidence)
    assert f"unsupported: {words}" in text and "not of Keras" not in text
    assert "No result in the dataset" not in text


@pytest.mark.parametrize("name", ["keras-overhead", "keras-backends"])
def test_an_empty_dataset_is_said_plainly(name: str, tmp_path: Path) -> None:
    assert "Not measured yet" in shown(name, load(tmp_path, []))


def test_a_gone_stack_breaks_nothing(tmp_path: Path) -> None:
    gone = Contender(stack="keras-gone", mode="eager", variant="loop")
    evidence = load(tmp_path, trials({TORCH: 80e6, gone: 90e6}))
    assert overheads(evidence) == [] and "Not measured yet" in shown("keras-backends", evidence)
