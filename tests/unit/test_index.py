"""The index: with it, without it and with what is left of it a command sees the same, whatever happened to files."""

from __future__ import annotations

import io
import json
import os
import shutil
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from framebench import dataset
from framebench.commands import index as command
from framebench.errors import UserError
from framebench.pages import result
from framebench.pages.evidence import gather
from framebench.records import index as index_module
from framebench.records import kept, store
from framebench.records.index import Index
from framebench.records.kept import KeptRecord
from framebench.records.placing import sidecar_path
from harness.record import Metric, Parity, Record, Timing
from tests.record_factory import (
    CASE,
    CONTENDERS,
    MLP_CASE,
    gpu_telemetry,
    inline_sidecar,
    make_failed,
    make_record,
    make_reproduction,
    make_trials,
    telemetry,
    trial_id,
)

ROOT = Path(__file__).resolve().parents[2]
KINDS = ("parity", "memory", "cold-start", "timing", "ceiling")


def fields(record: Record) -> dict[str, Any]:
    """All that can be asked of a record; a kept one has read its file for it."""
    found = {name: getattr(record, name) for name in Record.__struct_fields__}
    for name, kind in (("timing", Timing), ("parity", Parity)):
        if found[name] is not None:
            found[name] = {part: getattr(found[name], part) for part in kind.__struct_fields__}
    return found


def seen(loaded: store.Loaded) -> dict[str, Any]:
    """What a command sees."""
    return {
        "records": [(path, fields(record)) for path, record in loaded.records],
        "again": [(path, fields(record)) for path, record in loaded.reproduction_trials],
        "broken": loaded.broken,
        "leftovers": loaded.leftovers,
        "reproductions": loaded.reproductions,
    }


def tick(folder: Path) -> None:
    """Wait until the disk's clock has moved on."""
    probe = folder / "probe"
    probe.write_text("")
    before = probe.stat().st_ctime_ns
    while probe.stat().st_ctime_ns == before:
        time.sleep(0.001)
        probe.write_text("")
    probe.unlink()


def load(folder: Path, indexes: Path) -> tuple[store.Loaded, Index]:
    index = Index(indexes, folder)
    loaded = store.load([folder], index=index)
    index.save(small=True)
    return loaded, index


@pytest.fixture
def trusting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file counts as settled: the tests wait for the clock themselves."""
    monkeypatch.setattr(index_module, "SETTLED_NS", -(10**18))


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    for record in make_trials(cases=[CASE, MLP_CASE], contenders=CONTENDERS[:2], kinds=KINDS, rounds=3):
        store.write(record, folder)
    store.write(make_failed("crashed", "no memory", contender=CONTENDERS[2], trial_id=trial_id(999)), folder)
    tick(tmp_path)
    return folder


def one_timed(folder: Path) -> Path:
    return next(path for path, record in store.load([folder]).records if record.timing)


def faster(path: Path) -> bytes:
    """The record with other figures and of the same length."""
    text = path.read_text()
    record = store.load([path]).records[0][1]
    assert record.timing is not None
    wall = record.timing.blocks[0].wall_ns
    return text.replace(str(wall), str(wall - 1), 1).encode()


@pytest.mark.usefixtures("trusting")
def test_nothing_is_decoded_or_even_read_twice(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = store.load([results])
    first, made = load(results, results.parent / "index")
    assert (made.decoded, made.known) == (len(plain.records), 0)
    monkeypatch.setattr(index_module, "content_of", None)
    second, made = load(results, results.parent / "index")
    assert (made.decoded, made.known) == (0, len(plain.records))
    assert seen(first) == seen(second) == seen(plain)
    assert all(isinstance(record, KeptRecord) for _, record in second.records)


def test_all_that_is_computed_of_records_is_the_same(results: Path) -> None:
    indexes = results.parent / "index"
    plain = dataset.load([results])
    load(results, indexes)
    known = dataset.load([results], index=Index(indexes, results))
    assert known.frames() == plain.frames()
    assert known.noises == plain.noises and known.ceilings == plain.ceilings
    assert known.observers == plain.observers and known.baselines == plain.baselines
    assert [one.state for one in known.answers] == [one.state for one in plain.answers]


def on_gpus(record: Record, clock: float) -> Record:
    """The trial as two GPUs would have told of it, the slower one at ``clock`` MHz."""
    told = Metric(unit="MHz", samples=90, mean=clock)
    gpus = [
        msgspec.structs.replace(one, metrics=one.metrics | {"sm_clock": told})
        for one in map(gpu_telemetry, (0, 1))
    ]
    seen = msgspec.structs.replace(telemetry(), gpus=gpus, gpu_reason=None)
    return msgspec.structs.replace(record, telemetry=seen)


def test_what_gpus_used_and_at_which_clock_is_known_without_a_look_at_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, clocks = tmp_path / "results", dict(zip(CONTENDERS[:3], (1980.0, 1700.0, 1500.0), strict=True))
    alone = msgspec.structs.replace(CASE, device="gpu")
    for case in (alone, msgspec.structs.replace(alone, device_count=2)):
        made = make_trials(list(clocks), [case], rounds=3, seed=case.device_count, campaign_id=trial_id(1))
        for record in made:
            store.write(on_gpus(record, clocks[record.contender]), folder)
    plain = dataset.load([folder])
    load(folder, tmp_path / "index")
    known = dataset.load([folder], index=Index(tmp_path / "index", folder))
    assert all(isinstance(record, KeptRecord) for record in known.records)
    evidence = gather(ROOT, plain)
    pages = [result.page(one, evidence) for one in plain.results]
    again = gather(ROOT, known)
    assert [result.page(one, again) for one in known.results] == pages

    def read_again(source: object) -> Record:
        raise AssertionError(source)

    monkeypatch.setattr(kept, "whole", read_again)
    frames = known.frames()
    assert frames == plain.frames() and known.baselines == plain.baselines
    timed = [row for row in json.loads(frames["trials.json"]) if row["kind"] == "timing"]
    assert {row["joules_per_unit"] for row in timed} == {0.42}
    assert {row["sm_clock_mhz"] for row in timed} == set(clocks.values())
    against = [by for group in known.baselines.values() for by in group.values()]
    assert against and all(one.other_in_cycles for by in against for one in by.values())
    assert json.loads(frames["scaling.json"])


@pytest.mark.usefixtures("trusting")
def test_a_record_edited_in_place_is_noticed_with_size_and_time_as_before(results: Path) -> None:
    load(results, results.parent / "index")
    path = one_timed(results)
    before, changed = path.stat(), faster(path)
    tick(results.parent)
    with path.open("r+b") as file:
        file.write(changed)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns, after.st_ino) == (
        before.st_size,
        before.st_mtime_ns,
        before.st_ino,
    )
    loaded, made = load(results, results.parent / "index")
    assert made.decoded == 1 and seen(loaded) == seen(store.load([results]))


def test_what_changed_a_moment_ago_is_known_by_its_content_only(results: Path) -> None:
    load(results, results.parent / "index")
    _, made = load(results, results.parent / "index")
    assert made.decoded == 0 and made.known == len(store.load([results]).records)
    path = one_timed(results)
    path.write_bytes(faster(path))  # the clock of the disk may not have moved since
    loaded, made = load(results, results.parent / "index")
    assert made.decoded == 1 and seen(loaded) == seen(store.load([results]))


@pytest.mark.usefixtures("trusting")
def test_a_copy_of_the_folder_is_known_by_its_content(results: Path) -> None:
    load(results, results.parent / "index")
    for path in [path for path in results.rglob("*") if path.is_file()]:
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(content)
    _, made = load(results, results.parent / "index")
    assert made.decoded == 0
    _, made = load(results, results.parent / "index")
    assert made.decoded == 0


@pytest.mark.usefixtures("trusting")
def test_a_sidecar_that_is_gone_or_another_is_a_fault(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    path = store.write(make_record(sidecar=inline_sidecar()), folder)
    tick(tmp_path)
    load(folder, tmp_path / "index")
    sidecar_path(path).write_bytes(b"x")
    loaded, _ = load(folder, tmp_path / "index")
    assert "sidecar.sha256" in str(loaded.broken) and not loaded.records
    sidecar_path(path).unlink()
    loaded, _ = load(folder, tmp_path / "index")
    assert "missing" in str(loaded.broken) and not loaded.records


@pytest.mark.usefixtures("trusting")
def test_a_sidecar_too_young_to_be_trusted_is_not_taken_for_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "results"
    path = store.write(make_record(sidecar=inline_sidecar()), folder)
    monkeypatch.setattr(index_module, "SETTLED_NS", 10**18)
    load(folder, tmp_path / "index")
    monkeypatch.setattr(index_module, "SETTLED_NS", -(10**18))
    sidecar_path(path).unlink()
    loaded, _ = load(folder, tmp_path / "index")
    assert "missing" in str(loaded.broken)


@pytest.mark.usefixtures("trusting")
def test_other_code_makes_its_own_index(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load(results, results.parent / "index")
    monkeypatch.setattr(index_module, "made_by", lambda: "another version")
    _, made = load(results, results.parent / "index")
    assert made.known == 0
    _, made = load(results, results.parent / "index")
    assert made.decoded == 0


def test_a_file_that_changes_between_two_looks_is_no_stale_figure(results: Path) -> None:
    loaded, _ = load(results, results.parent / "index")
    path, record = next(pair for pair in loaded.records if pair[1].timing)
    path.write_bytes(faster(path))
    assert record.timing is not None
    with pytest.raises(UserError, match=f"{path}: changed while"):
        _ = record.timing.blocks


def test_a_kept_record_cannot_be_taken_for_a_whole_one_and_written(results: Path) -> None:
    loaded, _ = load(results, results.parent / "index")
    for _, record in loaded.records:
        with pytest.raises(TypeError):
            msgspec.json.encode(record)


@pytest.mark.usefixtures("trusting")
def test_an_index_that_cannot_be_written_costs_nothing_but_time(results: Path) -> None:
    (results.parent / "file").write_text("")
    index = Index(results.parent / "file" / "index", results)
    assert seen(store.load([results], index=index)) == seen(store.load([results]))
    root = results.parent / "checkout"
    root.mkdir()
    (root / "build").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        command.run(root, results, Console(file=io.StringIO()))


def test_few_records_are_not_worth_an_index(results: Path) -> None:
    index = Index(results.parent / "index", results)
    store.load([results], index=index)
    assert not index.file.exists()


@pytest.mark.usefixtures("trusting")
def test_the_command_says_what_was_new(results: Path) -> None:
    said = io.StringIO()
    console = Console(file=said, width=300)
    command.run(results.parent, results, console)
    store.write(make_record(trial_id=trial_id(1000)), results)
    tick(results.parent)
    command.run(results.parent, results, console)
    count = len(store.load([results]).records)
    first, second = said.getvalue().splitlines()
    assert f"{count - 1} decoded, 0 known" in first and f"1 decoded, {count - 1} known" in second
    assert str(results.parent / "build" / "index") in second


def _load_often(folder: Path, indexes: Path) -> list[int]:
    return [len(load(folder, indexes)[0].records) for _ in range(5)]


def test_many_processes_may_use_one_index_at_once(results: Path) -> None:
    indexes, count = results.parent / "index", len(store.load([results]).records)
    with ProcessPoolExecutor(3) as pool:
        running = [pool.submit(_load_often, results, indexes) for _ in range(3)]
        for number in range(10):
            store.write(make_record(trial_id=trial_id(2000 + number)), results)
        counts = [one.result() for one in running]
    assert all(some == sorted(some) and count <= some[0] and some[-1] <= count + 10 for some in counts)
    assert seen(load(results, indexes)[0]) == seen(store.load([results]))
    assert [path for path in indexes.iterdir() if path.suffix == ".tmp"] == []


WHAT = ("add", "edit", "delete", "truncate", "touch", "move", "copy", "sidecar", "reproduce", "odd", "leave")
WHAT_OF_THE_INDEX = ("index cut", "index spoiled", "index gone", "index old")
ACTS = st.lists(st.tuples(st.sampled_from([*WHAT, *WHAT_OF_THE_INDEX]), st.integers(0, 1000)), max_size=12)


@pytest.mark.parametrize("trusted", [True, False])
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=ACTS)
def test_whatever_happens_a_command_sees_what_is_there(
    trusted: bool, acts: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    if trusted:
        monkeypatch.setattr(index_module, "SETTLED_NS", -(10**18))
    with tempfile.TemporaryDirectory() as name:
        folder, indexes = Path(name, "results"), Path(name, "index")
        folder.mkdir()
        for number in range(3):
            act("add", number, folder, indexes)
        load(folder, indexes)
        for what, number in acts:
            if trusted:
                tick(folder.parent)
            act(what, number, folder, indexes)
            assert seen(load(folder, indexes)[0]) == seen(store.load([folder]))
        _, made = load(folder, indexes)
        assert made.decoded == 0


def act(what: str, number: int, folder: Path, indexes: Path) -> None:
    """One thing that happens to a folder of results or to its index."""
    records = sorted(folder.rglob("*.json"))
    path = records[number % len(records)] if records else folder / "none.json"
    made = sorted(indexes.glob("*.msgpack"))
    match what:
        case "add":
            one = make_record(
                trial_id=trial_id(5000 + number),
                kind=KINDS[number % len(KINDS)],
                contender=CONTENDERS[number % 4],
                sidecar=inline_sidecar({"n": [number]}) if number % 2 else None,
            )
            if not (folder / store.relative_path(one)).exists():
                store.write(one, folder)
        case "edit" if records:
            path.write_bytes(path.read_bytes().replace(b'"seed": 1', b'"seed": 2'))
        case "delete" if records:
            path.unlink()
        case "truncate" if records:
            path.write_bytes(path.read_bytes()[: number % 200])
        case "touch" if records:
            os.utime(path)
        case "move" if records:
            target = folder / f"elsewhere-{number}" / path.name
            target.parent.mkdir(exist_ok=True)
            path.rename(target)
        case "copy" if records:
            path.with_name(f"{trial_id(7000 + number)}.json").write_bytes(path.read_bytes())
        case "sidecar" if records:
            sidecar_path(path).write_bytes(b"x" * (number % 3))
        case "reproduce":
            again = make_record(trial_id=trial_id(9000 + number))
            place = folder / store.REPRODUCTIONS / "abc" / "trials"
            if not (place / store.relative_path(again)).exists():
                store.write(again, place)
        case "odd":
            path = folder / os.fsdecode(b"\xff" + bytes([97 + number % 3]))
            path.mkdir(exist_ok=True)
            one = make_record(trial_id=trial_id(11_000 + number))
            if not (path / store.relative_path(one)).exists():
                store.write(one, path)
        case "leave":
            (folder / f".{number}.json.1.tmp").write_bytes(b"{")
        case "index cut" if made:
            made[0].write_bytes(made[0].read_bytes()[: -1 - number])
        case "index spoiled" if made:
            content = bytearray(made[0].read_bytes())
            content[number % len(content)] ^= 0xFF
            made[0].write_bytes(content)
        case "index gone" if made:
            made[0].unlink()
        case "index old" if made:
            kept = indexes / "before"
            if kept.exists():
                shutil.copyfile(kept, made[0])
            else:
                shutil.copyfile(made[0], kept)


def test_a_number_that_msgpack_cannot_hold_is_read_every_time(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    record = make_record()
    assert record.settings is not None
    huge = msgspec.structs.replace(record.settings, compile={"n": 10**30})
    path = store.write(msgspec.structs.replace(record, settings=huge), folder)
    for _ in range(2):
        loaded, made = load(folder, tmp_path / "index")
        assert seen(loaded) == seen(store.load([folder])) and made.decoded == 1
    assert loaded.records or loaded.broken[0].path == path


def test_reproductions_are_read_as_ever(results: Path) -> None:
    first = dataset.load([results]).results[0]
    store.write_reproduction(make_reproduction(first.id), results)
    loaded, _ = load(results, results.parent / "index")
    assert len(loaded.reproductions) == 1 and seen(loaded) == seen(store.load([results]))
