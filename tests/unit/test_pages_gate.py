"""The gate on a result's page: its parts, the timed shape, the whole list, flags and old records in words."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import msgspec
import pytest

from framebench import dataset
from framebench.pages import flags as flag_words
from framebench.pages import gate, result
from framebench.pages.depends import Dependencies
from framebench.pages.evidence import Evidence, gather
from framebench.pages.of_results import beside
from framebench.pages.render import page as rendered
from framebench.pages.site import render
from framebench.pages.views import Table
from framebench.records import store
from harness import flags
from harness.record import Outcome, Record
from tests import record_factory
from tests.record_factory import CONTENDERS, GPT_CASE, gate_sidecar, make_record, make_trials, trial_id

ROOT = Path(__file__).resolve().parents[2]
OLD = sorted((ROOT / "results").rglob("01*.json"))


def evidence(folder: Path, records: list[Record]) -> Evidence:
    for record in records:
        store.write(record, folder)
    return gather(ROOT, dataset.load([folder]))


def page(found: Evidence) -> str:
    """The only result's page, without its markup."""
    (one,) = found.dataset.results
    text = rendered(ROOT / "site" / "templates", "result.html.j2", **result.view(one, found))
    return re.sub(r"\s+", " ", html.unescape(re.sub("<[^>]+>|&para;", " ", text)))


def rows(table: Table | None) -> list[list[str]]:
    assert table is not None
    return [[cell.text for cell in row] for row in table.rows]


def trials(passed: bool = True, sidecar: bool = True) -> list[Record]:
    check = make_record(
        kind="parity",
        round=0,
        trial_id=trial_id(900),
        parity=record_factory.parity(passed),
        sidecar=gate_sidecar(passed) if sidecar else None,
        outcome=Outcome(status="ok") if passed else Outcome(status="not_comparable", reason="differs"),
    )
    return [*make_trials(contenders=CONTENDERS[:1], rounds=2, kinds=("timing",)), check]


def test_each_part_is_a_row_with_what_came_nearest_to_its_tolerance(tmp_path: Path) -> None:
    (one,) = evidence(tmp_path, trials()).dataset.results
    found = rows(gate.parts_table(one))
    assert [row[0] for row in found] == [
        "the same bytes: weights and batches",
        "logic, computed in float64",
        "the optimizer's rule by itself, in float64",
        "state: counters, reset, many steps at once, in float64",
        "the precision that is timed",
        "the optimizer's rule by itself, in the timed precision",
        "state: counters, reset, many steps at once, in the timed precision",
        "the timed batch size",
        "the timed shape, before the blocks (2 trials)",
        "the timed shape, after the blocks (2 trials)",
    ]
    assert found[4][1:7] == ["3", "0", "gradients conv0/kernel", "relative", "2.4e-06", "1.0e-04"]
    assert found[4][7] == "2 left out: no tolerance would check anything"
    assert found[7] == [
        "the timed batch size",
        *("–",) * 6,
        "not checked: no reference for batch 16",
    ]  # what was not checked has no zeros


def test_every_part_of_the_record_has_its_words() -> None:
    names = msgspec.json.schema(Record)["$defs"]["GatePart"]["properties"]["name"]["enum"]
    assert set(names) == set(gate.PARTS)


def test_all_comparisons_can_be_had_and_none_is_listed_that_passed(tmp_path: Path) -> None:
    found = evidence(tmp_path, trials())
    (one,) = found.dataset.results
    listed = gate.listed(one, found, "../../")
    assert listed is not None and listed.href is not None and listed.failed is None
    assert listed.comparisons == sum(len(diffs) for _name, diffs in record_factory.gate())
    assert f"All {listed.comparisons} comparisons" in page(found)
    kept = beside(found, Dependencies(found))[listed.href.removeprefix("../../")]
    assert isinstance(kept, Path) and kept.is_file()


def test_what_failed_is_listed_the_farthest_above_its_tolerance_first(tmp_path: Path) -> None:
    diffs = [record_factory.diff(f"gradients layer {n}", n * 1e-5, 1e-4, "rel-l2") for n in range(50)]
    whole = record_factory.inline_sidecar(
        {"gate": [{"part": "precision", "diffs": msgspec.to_builtins(diffs)}]}
    )
    records = [
        msgspec.structs.replace(record, sidecar=whole) if record.kind == "parity" else record
        for record in trials()
    ]
    found = evidence(tmp_path, records)
    listed = gate.listed(found.dataset.results[0], found, "")
    assert listed is not None
    assert [row[::4] for row in rows(listed.failed)] == [
        [f"gradients layer {n}", "the precision that is timed"] for n in range(49, 49 - gate.SHOWN, -1)
    ]


def test_without_its_sidecar_what_failed_is_still_shown(tmp_path: Path) -> None:
    found = evidence(tmp_path, trials(passed=False, sidecar=False))
    (one,) = found.dataset.results
    listed = gate.listed(one, found, "")
    assert listed is not None and listed.href is None
    assert rows(listed.failed) == [["gradients conv0/kernel", "relative", "2.0e-02", "1.0e-04"]]
    assert "failed, so the contender is not comparable" in page(found)


def test_a_lost_or_torn_sidecar_is_no_fault_of_the_page(tmp_path: Path) -> None:
    found = evidence(tmp_path, trials())
    (path,) = tmp_path.rglob("*.sidecar.json.gz")
    assert store.series(path.with_name(f"{trial_id(900)}.json"))
    path.write_bytes(path.read_bytes()[:40])
    assert store.series(path.with_name(f"{trial_id(900)}.json")) == {}
    path.unlink()
    listed = gate.listed(found.dataset.results[0], found, "")
    assert listed is None  # nothing failed, and nothing else is at hand


def test_a_value_that_is_not_finite_has_no_number(tmp_path: Path) -> None:
    part = record_factory.part("precision", [record_factory.diff("loss 1", None, 1e-5, "abs")])
    check = make_record(kind="parity", parity=msgspec.structs.replace(record_factory.parity(), parts=[part]))
    (one,) = evidence(tmp_path, [check]).dataset.results
    assert rows(gate.parts_table(one))[0][5] == "not finite"


def test_of_all_looks_at_the_timed_shape_the_one_nearest_to_its_tolerance_is_shown(tmp_path: Path) -> None:
    far = record_factory.part("shape", [record_factory.diff("loss 1", 9e-6, 1e-5, "abs")])
    records = trials()
    records[1] = msgspec.structs.replace(records[1], shape_after=far)
    found = evidence(tmp_path, records)
    before, after = rows(gate.parts_table(found.dataset.results[0]))[-2:]
    assert before[1:] == ["4", "0", "loss 1", "absolute", "1.1e-07", "1.0e-05", ""]
    assert after[1:6] == ["3", "0", "loss 1", "absolute", "9.0e-06"]


def test_the_page_says_how_to_plant_faults_and_keeps_their_catalogue(tmp_path: Path) -> None:
    found = evidence(tmp_path, trials())
    (one,) = found.dataset.results
    assert (
        "`framebench mutate convstack torch --mode eager --task train --preset cpu --precision fp32`"
        in gate.planting(one)
    )
    kept = [file.path for file in gate.catalogue(ROOT, "convstack")]
    assert kept == ["harness/gate/mutants.py"]
    text = rendered(ROOT / "site" / "templates", "result.html.j2", **result.view(one, found))
    assert all(f'href="../../source/{path}"' in text for path in kept)
    assert set(render(found)) >= {f"source/{path}" for path in kept}


def test_kernels_and_causal_work_are_on_the_page_of_a_language_model(tmp_path: Path) -> None:
    records = make_trials(contenders=CONTENDERS[:1], cases=[GPT_CASE], rounds=1)
    text = page(evidence(tmp_path, records))
    assert "Which path really ran attention flash" in text
    assert "3.50 GFLOP; 3.30 GFLOP without what the causal mask hides" in text
    assert "tokens/s" in text and "samples/s" not in text and "512 tokens" in text


@pytest.mark.parametrize(
    "code",
    [value for name, value in vars(flags).items() if name.isupper() and isinstance(value, str)],
)
def test_every_flag_has_its_words(tmp_path: Path, code: str) -> None:
    assert flag_words.word(code) != code or code == flags.EMULATED
    assert "_" not in flag_words.word(code) and len(flag_words.meaning(code)) > 40
    (mark,) = flag_words.marks([code])
    assert mark.word == flag_words.word(code) and mark.meaning == flag_words.meaning(code)
    text = page(evidence(tmp_path, [make_record(flags=[code], telemetry=None)]))
    assert flag_words.meaning(code) in text and (code == flags.EMULATED or code not in text)


def test_a_flag_nobody_knows_stands_for_itself() -> None:
    assert flag_words.word("odd_thing") == "odd_thing" and flag_words.meaning("odd_thing") == ""


@pytest.mark.skipif(not OLD, reason="no stored results")
def test_an_old_record_is_shown_as_of_its_time(tmp_path: Path) -> None:
    """Records are read as the newest version; the page says which one was written."""
    of_version = {json.loads(path.read_bytes()).get("record_version", 3): path for path in OLD}
    for version, path in of_version.items():
        if version >= 3:
            continue
        found = gather(ROOT, dataset.load([path]))
        text = page(found)
        assert f"Measured under record version {version}: the rules of that time hold for it." in text
        assert f"Written as record version {version}" in text and "Protocol hash –" in text
    new = page(evidence(tmp_path, trials()))
    assert "rules of that time" not in new and "Written as record version 3" in new
