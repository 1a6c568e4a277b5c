"""The store: where records lie, that writes are whole, and that faults are named and never stop the rest."""

from __future__ import annotations

import base64
import errno
import gzip
import hashlib
import json
import os
import tracemalloc
from pathlib import Path

import msgspec
import pytest

from framebench.errors import UserError
from framebench.records import store
from framebench.records.identity import result_id
from framebench.records.reproduction_document import Reproduction
from framebench.records.trial_ids import milliseconds
from harness import flags
from harness.record import ImageRef, Outcome, Record, Sidecar
from tests.record_factory import (
    MLP_CASE,
    inline_sidecar,
    make_failed,
    make_record,
    make_trials,
    timing,
    trial_id,
)


def reproduction(**changes: object) -> Reproduction:
    fields: dict[str, object] = {
        "reproduction_id": trial_id(99),
        "result_id": result_id(make_record()),
        "reproduced_utc": "2026-11-23T12:00:00Z",
        "host_id": "other-host",
        "same_hardware": False,
        "executor": "docker",
        "config_digest": None,
        "image_source": "rebuilt",
        "rounds": 5,
        "contender": "torch-compiled",
        "baseline": "torch-eager",
        "recorded_ratio": 0.75,
        "new_ratio": 0.76,
        "ratio_of_ratios": 1.013,
        "low": 0.99,
        "high": 1.03,
        "bound": 0.05,
        "verdict": "reproduced",
        "rounds_needed": None,
        "trial_ids": [trial_id(5)],
    }
    return msgspec.convert(fields | changes, Reproduction)


def endless(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def edit(path: Path, change: object) -> None:
    """Damage a stored record: ``change`` gets its dictionary."""
    document = json.loads(path.read_text())
    change(document)  # type: ignore[operator]
    path.write_text(json.dumps(document))


def test_a_record_comes_back_equal_from_the_folder_its_content_names(tmp_path: Path) -> None:
    record = make_record()
    path = store.write(record, tmp_path)
    assert path.relative_to(tmp_path).as_posix() == (
        "epyc-2c-ab12cd34/convstack/cpu-train-b16-fp32-cpu1-c2/torch-eager--torch-2.13.0-cpu-py311/"
        f"{record.trial_id}.json"
    )
    assert store.load([tmp_path]) == store.Loaded(records=[(path, record)])
    assert store.load([tmp_path]).faults == []


def test_container_venv_and_system_results_never_share_a_folder(tmp_path: Path) -> None:
    folders = {
        executor: store.write(make_record(executor=executor), tmp_path).parent.name
        for executor in ("docker", "venv", "system", "slurm")
    }
    assert folders == {
        "docker": "torch-eager--torch-2.13.0-cpu-py311",
        "venv": "torch-eager--venv-torch-2.13.0-cpu-py311",
        "system": "torch-eager--system",
        "slurm": "torch-eager--slurm-torch-2.13.0-cpu-py311",
    }


def test_an_existing_trial_is_never_overwritten(tmp_path: Path) -> None:
    path = store.write(make_record(), tmp_path)
    before = path.read_bytes()
    with pytest.raises(UserError, match="already stored"):
        store.write(make_record(round=2), tmp_path)
    assert path.read_bytes() == before


def test_a_record_is_readable_and_at_most_8_kb(tmp_path: Path) -> None:
    path = store.write(make_record(), tmp_path)
    assert path.read_text().startswith('{\n "record_version": 3,\n')
    noisy = [f"line {number}: " + "x" * 150 for number in range(50)]
    crashed = make_failed("crashed", "exit code 134", trial_id=trial_id(2))
    outcome = msgspec.structs.replace(crashed.outcome, stderr_tail=noisy)
    crash_path = store.write(msgspec.structs.replace(crashed, outcome=outcome), tmp_path)
    one_line = msgspec.structs.replace(
        crashed, trial_id=trial_id(3), outcome=msgspec.structs.replace(outcome, stderr_tail=["y" * 20_000])
    )
    line_path = store.write(one_line, tmp_path)
    sizes = [place.stat().st_size for place in (path, crash_path, line_path)]
    assert max(sizes) <= store.MAX_RECORD_BYTES
    kept = store.load([tmp_path]).records[1][1].outcome.stderr_tail
    assert kept and kept == noisy[-len(kept) :]


def test_a_full_trial_of_thirty_blocks_and_twenty_nine_metrics_fits(tmp_path: Path) -> None:
    record = make_record(case=MLP_CASE, flags=[flags.UNRANKED, flags.NOT_STEADY])
    assert record.telemetry is not None and record.learning is not None
    metrics = {f"metric_{number}": record.telemetry.metrics["rss"] for number in range(29)}
    record = msgspec.structs.replace(
        record,
        timing=timing(80e6, blocks=30),
        telemetry=msgspec.structs.replace(record.telemetry, metrics=metrics),
        learning=msgspec.structs.replace(record.learning, curve=record.learning.curve * 2),
    )
    path = store.write(record, tmp_path)
    assert path.stat().st_size <= store.MAX_RECORD_BYTES
    assert store.load([path]).records == [(path, record)]


def test_the_sidecar_lies_beside_the_record_and_leaves_only_its_hash(tmp_path: Path) -> None:
    path = store.write(make_record(sidecar=inline_sidecar({"power": [1.5, 2.5]})), tmp_path)
    sidecar = path.with_name(path.stem + ".sidecar.json.gz")
    assert json.loads(gzip.decompress(sidecar.read_bytes())) == {"power": [1.5, 2.5]}
    stored = store.load([tmp_path]).records[0][1].sidecar
    assert stored is not None and stored.inline is None


def test_a_sidecar_that_claims_gigabytes_is_never_unzipped(tmp_path: Path) -> None:
    bomb = gzip.compress(bytes(100 << 20))
    path = store.write(make_record(sidecar=inline_sidecar()), tmp_path)
    assert store.series(path) == {"rss": [1, 2, 3]}
    path.with_suffix(".sidecar.json.gz").write_bytes(bomb)
    tracemalloc.start()
    assert store.series(path) == {}
    assert tracemalloc.get_traced_memory()[1] < 64 << 20
    tracemalloc.stop()
    inline = Sidecar(sha256=hashlib.sha256(bomb).hexdigest(), inline=base64.b64encode(bomb).decode())
    with pytest.raises(UserError, match="not one whole gzip of at most 16 MiB; run the trial again"):
        store.write(make_record(sidecar=inline, trial_id=trial_id(2)), tmp_path)


def test_a_sidecar_that_does_not_match_its_hash_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    wrong = msgspec.structs.replace(inline_sidecar(), sha256="0" * 64)
    with pytest.raises(UserError, match=r"sidecar\.sha256"):
        store.write(make_record(sidecar=wrong), tmp_path)
    assert list(tmp_path.rglob("*.*")) == []


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:300]), "not a whole JSON document"),
        (lambda path: path.write_bytes(b""), "not a whole JSON document"),
        (lambda path: path.write_bytes(b"\xff\xfe{}"), "not a whole JSON document"),
        (lambda path: path.write_text("[1, 2]"), "Expected `object`"),
        (lambda path: edit(path, lambda d: d.update(record_version=99)), r"record_version is 99.*update"),
        (lambda path: edit(path, lambda d: d.pop("record_version")), "record_version"),
        (lambda path: edit(path, lambda d: d.update(speed=3)), "unknown field `speed`"),
        (lambda path: edit(path, lambda d: d["case"].update(batch="16")), r"\$\.case\.batch"),
        (lambda path: edit(path, lambda d: d["case"].update(batch=32)), "case says .*-b32-.* path says"),
        (lambda path: edit(path, lambda d: d["provenance"].update(host_id="h")), "provenance.host_id says"),
        (lambda path: edit(path, lambda d: d["provenance"].update(host_id="../x")), "cannot name a folder"),
        (
            lambda path: edit(path, lambda d: d["provenance"].update(host_id="[" * 900)),
            r"host_id is '\[{100} …', which cannot name a folder",
        ),
        (lambda path: edit(path, lambda d: d["provenance"].update(host_id="h" * 201)), "at most 200 letters"),
        (lambda path: path.with_suffix(".sidecar.json.gz").unlink(), "sidecar: .* is missing"),
        (lambda path: path.with_suffix(".sidecar.json.gz").write_bytes(b"x"), "sidecar.sha256"),
        (lambda path: os.truncate(path, 1 << 30), "no plain file of at most 16 MiB"),
        (
            lambda path: os.truncate(path.with_suffix(".sidecar.json.gz"), 1 << 30),
            "no plain file of at most 1 MiB",
        ),
        (lambda path: endless(path), "no plain file of at most 16 MiB"),
        (lambda path: endless(path.with_suffix(".sidecar.json.gz")), "no plain file of at most 1 MiB"),
    ],
)
def test_a_broken_file_is_named_and_does_not_stop_the_others(tmp_path: Path, damage, named: str) -> None:  # type: ignore[no-untyped-def]
    good = store.write(make_record(trial_id=trial_id(2)), tmp_path)
    bad = store.write(make_record(sidecar=inline_sidecar()), tmp_path)
    damage(bad)
    loaded = store.load([tmp_path])
    assert [path for path, _ in loaded.records] == [good]
    assert [broken.path for broken in loaded.broken] == [bad]
    lines = [str(fault) for fault in store.load([tmp_path]).faults]
    assert len(lines) == 1 and "\n" not in lines[0] and lines[0].startswith(f"{bad}: ")
    with pytest.raises(AssertionError, match=named):
        raise AssertionError(lines[0])


def test_a_copied_record_is_a_fault_even_in_the_right_kind_of_folder(tmp_path: Path) -> None:
    store.write(make_record(), tmp_path / "a")
    store.write(make_record(), tmp_path / "b")
    assert len(store.load([tmp_path]).records) == 1
    assert "is also in" in str(store.load([tmp_path]).faults[0])


def test_what_an_interrupted_write_left_is_ignored_and_reported(tmp_path: Path) -> None:
    path = store.write(make_record(sidecar=inline_sidecar()), tmp_path)
    (path.parent / f".{trial_id(7)}.json.123.tmp").write_bytes(b'{"record_ver')
    path.with_suffix(".sidecar.json.gz").rename(path.with_name(trial_id(8) + ".sidecar.json.gz"))
    path.unlink()
    loaded = store.load([tmp_path])
    assert loaded.records == [] and loaded.broken == []
    assert [left.path.name[-4:] for left in loaded.leftovers] == [".tmp", "n.gz"]
    assert len(store.load([tmp_path]).faults) == 2


def test_a_folder_that_takes_no_record_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file" / "results", Path("/proc/self")):
        with pytest.raises(UserError, match=f"{folder}: cannot be written"):
            store.require_writable(folder)
    store.require_writable(tmp_path / "new" / "results")
    assert list((tmp_path / "new" / "results").iterdir()) == []


def test_a_full_disk_leaves_nothing_behind_and_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="No space left on device"):
        store.write(make_record(), tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_missing_path_is_a_user_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file or folder"):
        store.load([tmp_path / "nowhere"])


def test_single_files_load_too(tmp_path: Path) -> None:
    path = store.write(make_record(), tmp_path)
    assert [record.trial_id for _, record in store.load([path]).records] == [trial_id(1)]


def test_a_reproduction_is_never_taken_for_a_record(tmp_path: Path) -> None:
    store.write(make_record(), tmp_path)
    path = store.write_reproduction(reproduction(), tmp_path)
    loaded = store.load([tmp_path])
    assert len(loaded.records) == 1 and loaded.broken == []
    assert loaded.reproductions == [(path, reproduction())]
    edit(path, lambda document: document.update(verdict="surely"))
    assert r"$.verdict" in str(store.load([tmp_path]).faults[0])


def test_trials_of_a_reproduction_are_checked_but_no_part_of_the_result(tmp_path: Path) -> None:
    store.write(make_record(), tmp_path)
    again = make_record(trial_id=trial_id(2))
    path = store.write(again, tmp_path / store.REPRODUCTIONS / result_id(again) / "trials")
    loaded = store.load([tmp_path])
    assert [record.trial_id for _, record in loaded.records] == [trial_id(1)]
    assert loaded.reproduction_trials == [(path, again)]
    edit(path, lambda document: document.update(round="one"))
    assert r"$.round" in str(store.load([tmp_path]).faults[0])


def test_trial_ids_are_unique_and_in_the_order_of_time() -> None:
    ids = [store.new_trial_id() for _ in range(2000)]
    assert ids == sorted(ids) and len(set(ids)) == 2000
    assert all(len(name) == 26 and name == name.lower() for name in ids)


def test_an_id_says_when_it_was_made_also_after_the_clock_was_set_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1_796_000_000_000
    for moment in (now, now + 7_200_000, now, now, now - 86_400_000):
        monkeypatch.setattr("time.time_ns", lambda moment=moment: moment * 1_000_000)
        assert milliseconds(store.new_trial_id()) == moment


class TestFind:
    records = [(Path(record.trial_id), record) for record in make_trials(rounds=2)]

    def test_a_result_by_its_id_and_by_a_unique_prefix(self) -> None:
        name = result_id(self.records[0][1])
        assert store.find(self.records, name) == store.Found(name)
        assert store.find(self.records, name[:6].upper()) == store.Found(name)

    def test_a_trial_by_its_id(self) -> None:
        path, record = self.records[3]
        assert store.find(self.records, record.trial_id) == store.Found(result_id(record), (path, record))

    def test_an_ambiguous_prefix_lists_what_it_could_mean(self) -> None:
        with pytest.raises(UserError, match=r"ambiguous: 01k.* and 7 more"):
            store.find(self.records, "01k")

    def test_an_unknown_id_names_the_nearest(self) -> None:
        name = result_id(self.records[0][1])
        with pytest.raises(UserError, match=f"nearest are.*{name}"):
            store.find(self.records, name[:9] + "1")

    def test_an_empty_store_says_so(self) -> None:
        with pytest.raises(UserError, match="no results yet"):
            store.find([], "abc")


def test_the_published_schema_is_as_strict_as_the_decoder() -> None:
    schema = store.json_schema()
    assert set(schema) == {"record", "trial-spec", "reproduction", "selftest", "manifest"}
    definition = schema["record"]["$defs"]["Record"]
    assert definition["additionalProperties"] is False
    assert set(definition["properties"]) == set(Record.__struct_fields__)
    json.dumps(schema)


def test_a_record_without_an_image_name_goes_by_its_executor(tmp_path: Path) -> None:
    record = make_record(image=ImageRef(name=None), outcome=Outcome(status="unsupported", reason="no image"))
    assert store.write(record, tmp_path).parent.name == "torch-eager--docker"
