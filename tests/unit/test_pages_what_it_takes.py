"""What a workload takes: each figure follows from its records, and where there are none nothing is said."""

from __future__ import annotations

import html
import re
from pathlib import Path

import msgspec

from framebench import dataset
from framebench.images.audit.two_builds import load_rebuilds
from framebench.pages import figures
from framebench.pages.evidence import gather
from framebench.pages.site import render
from framebench.pages.views import Table
from framebench.pages.what_it_takes import WhatItTakes, what_it_takes
from framebench.records import store
from framebench.records.identity import protocol_hash
from harness.record import Case, Contender, ImageRef, Memory, Phase, Record
from tests.record_factory import CONTENDERS, make_failed, make_record, make_trials, sha, trial_id

ROOT = Path(__file__).resolve().parents[2]
CASE = Case(workload="resnet50", preset="cpu", task="train", batch=16, cores=2)
LARGER = msgspec.structs.replace(CASE, batch=64)
EAGER, COMPILED = CONTENDERS[:2]
NUMBERS = iter(range(1, 1000))
MS, MIB = 1_000_000, 1 << 20


def takes(folder: Path, records: list[Record]) -> WhatItTakes:
    for record in records:
        store.write(record, folder)
    return what_it_takes("resnet50", gather(ROOT, dataset.load([folder])), "")


def texts(tables: list[tuple[str, Table]]) -> list[list[str]]:
    """The rows of the only table."""
    ((_words, table),) = tables
    return [[cell.text.replace("\u2009", "") for cell in row] for row in table.rows]


def trial(
    kind: str, first_ms: int = 100, case: Case = CASE, by: Contender = EAGER, **changes: object
) -> Record:
    """A trial whose phases up to the first step take 300 ms and ``first_ms``; what comes later takes 9 s."""
    names = {
        "import": 200,
        "data": 60,
        "build": 40,
        "first_step": first_ms,
        "second_step": 4000,
        "canaries": 5000,
    }
    number = next(NUMBERS)
    found = {
        "kind": kind,
        "case": case,
        "contender": by,
        "round": number,
        "seed": number,
        "trial_id": trial_id(number),
        "started_utc": f"2026-11-23T08:{number // 60:02d}:{number % 60:02d}Z",
        "phases": [Phase(name=name, wall_ns=ms * MS, cpu_ns=ms * MS) for name, ms in names.items()],
    }
    return make_record(**(found | changes))


def memory(case: Case, by: Contender = EAGER, **figures: int | None) -> Record:
    known = {"allocator_peak": None, "device_delta": None, "host_rss_peak": 300 * MIB}
    known |= {"host_rss_after_import": 200 * MIB} | figures
    return trial("memory", case=case, by=by, memory=Memory(**known))


def out_of_memory(kind: str, case: Case, by: Contender = EAGER, status: str = "oom") -> Record:
    whole = msgspec.structs.asdict(trial(kind, case=case, by=by))
    kept = ("kind", "case", "contender", "round", "seed", "trial_id", "started_utc")
    return make_failed(status, "no room", **{name: whole[name] for name in kept})


def test_nothing_measured_says_nothing_but_the_lines(tmp_path: Path) -> None:
    empty = takes(tmp_path, [])
    assert (empty.first, empty.memory, empty.batches.rows, empty.sizes.rows) == ([], [], [], [])
    assert empty.lines.rows


def test_time_to_the_first_result_ends_with_the_first_step(tmp_path: Path) -> None:
    timed = [trial("timing", first_ms) for first_ms in (100, 250, 700)]
    ((name, batch, *warm, cold, _range, trials),) = texts(takes(tmp_path / "warm", timed).first)
    assert (name, batch, *warm) == ("PyTorch, eager", "16", "550 ms", "400 ms–1.00 s", "3")
    assert (cold, trials) == ("–", "–")
    ((*before, cold, _range, trials),) = texts(
        takes(tmp_path / "both", [*timed, trial("cold-start", 1700)]).first
    )
    assert before == [name, batch, *warm] and (cold, trials) == ("2.00 s", "1")


def test_a_trial_that_failed_has_no_first_result(tmp_path: Path) -> None:
    phases = trial("timing").phases
    for kind in ("timing", "cold-start"):
        failed = msgspec.structs.replace(out_of_memory(kind, CASE, status="invalid"), phases=phases)
        assert takes(tmp_path / kind, [failed]).first == []


def test_of_two_suites_the_newer_counts_and_twins_and_what_was_replaced_do_not(tmp_path: Path) -> None:
    older = memory(CASE, host_rss_peak=201 * MIB)
    provenance = msgspec.structs.replace(older.provenance, work_hash=sha("older work"))
    replaced = msgspec.structs.replace(memory(LARGER), provenance=provenance)
    newer = [memory(CASE, host_rss_peak=202 * MIB), out_of_memory("memory", LARGER)]
    suite = msgspec.structs.replace(older.protocol, name="another")
    elsewhere = msgspec.structs.replace(older.provenance, protocol_hash=protocol_hash(suite))
    newer[0] = msgspec.structs.replace(newer[0], protocol=suite, provenance=elsewhere)
    twin = memory(CASE, msgspec.structs.replace(EAGER, twin=True))
    found = takes(tmp_path, [older, replaced, *newer, twin])
    assert texts(found.memory) == [["PyTorch, eager", "process", "2.00 MiB", "out of memory"]]


def test_memory_has_a_column_for_each_batch_and_a_row_for_each_kind(tmp_path: Path) -> None:
    one = memory(CASE, host_rss_peak=212 * MIB, allocator_peak=5 * MIB)
    records = [one, memory(LARGER, device_delta=7 * MIB), memory(CASE, COMPILED)]
    assert texts(takes(tmp_path, records).memory) == [
        ["PyTorch, torch.compile", "process", "100 MiB", "–"],
        ["PyTorch, eager", "process", "12.0 MiB", "100 MiB"],
        ["PyTorch, eager", "allocator", "5.00 MiB", "–"],
        ["PyTorch, eager", "device", "–", "7.00 MiB"],
    ]


def test_a_batch_that_ran_out_of_memory_says_so_in_its_column(tmp_path: Path) -> None:
    records = [memory(CASE), out_of_memory("memory", LARGER)]
    assert texts(takes(tmp_path, records).memory) == [
        ["PyTorch, eager", "process", "100 MiB", "out of memory"]
    ]


def test_memory_that_could_not_be_read_is_no_row(tmp_path: Path) -> None:
    assert takes(tmp_path / "peak", [memory(CASE, host_rss_peak=None)]).memory == []
    assert takes(tmp_path / "import", [memory(CASE, host_rss_after_import=None)]).memory == []


def batches(folder: Path, records: list[Record]) -> list[list[str]]:
    return [[cell.text for cell in row[1:]] for row in takes(folder, records).batches.rows]


def test_the_largest_batch_that_fits_is_one_that_was_tried(tmp_path: Path) -> None:
    middle, largest = (msgspec.structs.replace(CASE, batch=batch) for batch in (32, 128))
    fit = [memory(CASE), trial("timing", case=middle)]
    all_fit = [["all", "16, 32", "32", "all that were tried fit"]]
    assert batches(tmp_path / "fit", fit) == all_fit
    crashed = out_of_memory("memory", LARGER, status="crashed")
    assert batches(tmp_path / "crashed", [*fit, crashed]) == all_fit  # says nothing of memory
    failed = [*fit, out_of_memory("timing", largest), out_of_memory("memory", LARGER)]
    assert batches(tmp_path / "oom", failed) == [["all", "16, 32, 64, 128", "32", "64"]]
    none = out_of_memory("memory", CASE)
    assert batches(tmp_path / "none", [none]) == [["all", "16", "none of those tried", "16"]]


def test_contenders_of_which_the_same_is_known_share_a_row(tmp_path: Path) -> None:
    records = [
        memory(CASE),
        memory(CASE, COMPILED),
        memory(LARGER),
        out_of_memory("memory", LARGER, COMPILED),
    ]
    assert batches(tmp_path, records) == [
        ["PyTorch, torch.compile", "16, 64", "16", "64"],
        ["PyTorch, eager", "16, 64", "64", "all that were tried fit"],
    ]


def test_a_contender_of_which_nothing_is_known_is_not_among_all(tmp_path: Path) -> None:
    records = [memory(CASE), out_of_memory("memory", CASE, COMPILED, status="crashed")]
    assert batches(tmp_path, records) == [["PyTorch, eager", "16", "16", "all that were tried fit"]]


def test_other_tasks_and_cores_are_other_ladders(tmp_path: Path) -> None:
    others = [msgspec.structs.replace(LARGER, **change) for change in ({"task": "infer"}, {"cores": 4})]
    found = takes(tmp_path, [memory(CASE), *(memory(other) for other in others)])
    assert [[len(row) for row in table.rows] for _words, table in found.memory] == [[3], [3], [3]]
    assert found.memory[2][0].startswith("Inference, preset cpu · 2 cores · ")


def test_what_failed_the_gate_takes_nothing(tmp_path: Path) -> None:
    gate = out_of_memory("parity", CASE, status="not_comparable")
    found = takes(tmp_path, [memory(CASE), gate])
    assert (found.memory, found.batches.rows) == ([], [])


def test_images_have_the_sizes_of_their_last_two_builds(tmp_path: Path) -> None:
    name, rebuild = next(iter(load_rebuilds(ROOT).items()))
    images = [ImageRef(name=one, lock_sha256=sha(one)) for one in (name, "gone-1-cpu-py311")]
    rows = takes(tmp_path, [trial("timing", image=image) for image in images]).sizes.rows
    assert 0 < rebuild.packages_bytes < rebuild.size_bytes
    sizes = (rebuild.compressed_bytes, rebuild.size_bytes, rebuild.packages_bytes)
    assert sorted([cell.text for cell in row] for row in rows) == sorted(
        [[name, *map(figures.size, sizes)], ["gone-1-cpu-py311", "–", "–", "–"]]
    )


def test_the_page_says_it_all(tmp_path: Path) -> None:
    for record in [
        *make_trials(CONTENDERS, [CASE], kinds=("memory", "cold-start", "timing")),
        memory(LARGER),
    ]:
        store.write(record, tmp_path)
    page = render(gather(ROOT, dataset.load([tmp_path])))["workloads/resnet50.md"]
    assert isinstance(page, str)
    said = re.sub(r"\s+", " ", html.unescape(re.sub("<[^>]+>", " ", page)))
    for heading in ("Time to the first result", "Memory, by batch", "The largest batch that fits"):
        assert f"### {heading} " in said
    assert (
        "batch 16 batch 64" in said
        and "Image and environment" in said
        and "Lines that the user writes" in said
    )
