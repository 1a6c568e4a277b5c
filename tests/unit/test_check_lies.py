"""Lies in real records: each is named, and the records that nobody touched are believed."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from framebench import checking
from framebench.checking import Checked, History, rules
from framebench.checking.known import Known
from framebench.records import store
from framebench.records.store import MANIFESTS
from tests.planted_lies import LIES, Document, plant

ROOT = Path(__file__).parents[2]
HISTORY = History(ROOT)


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, Path], Checked]]:
    """Every lie planted in a record of its own, and one look at all of them."""
    results = tmp_path_factory.mktemp("lies") / "results"
    shutil.copytree(ROOT / "results", results, ignore=shutil.ignore_patterns(MANIFESTS))  # not handed in yet
    planted = plant(results)
    yield planted, checking.check([results], results, HISTORY)


def test_the_committed_records_are_believed() -> None:
    assert checking.check([ROOT / "results"], ROOT / "results", HISTORY).refused == []


@pytest.mark.parametrize("name", LIES)
def test_a_lie_is_named_with_its_field_and_the_mend(
    name: str, checked: tuple[dict[str, Path], Checked]
) -> None:
    lie, (planted, found) = LIES[name], checked
    said = [one for one in found.findings if one.path == planted[name]]
    assert said, "nobody noticed"
    assert any(str(one.doubt).startswith(lie.field) for one in said), [str(one.doubt) for one in said]
    assert any(one.doubt.refused for one in said) == lie.refused
    assert all("; " in str(one) and "\n" not in str(one) for one in said)


def test_every_lie_of_a_record_that_was_handed_in_is_refused(
    checked: tuple[dict[str, Path], Checked],
) -> None:
    planted, _ = checked
    results = next(iter(planted.values())).parents[4]
    shutil.copytree(ROOT / "results" / MANIFESTS, results / MANIFESTS)
    refused = {one.path for one in checking.check([results], results, HISTORY).refused}
    assert set(planted.values()) <= refused


def test_nobody_else_is_suspected(checked: tuple[dict[str, Path], Checked]) -> None:
    planted, found = checked
    assert {one.path for one in found.refused} <= set(planted.values())


def test_a_sidecar_whose_evidence_nobody_can_read_is_refused(tmp_path: Path) -> None:
    """It has the hash that the record names, and unzips to a hundred times as much as any sidecar holds."""
    results, committed = tmp_path / "results", ROOT / "results"
    gate = next(
        path
        for path in sorted(committed.rglob("*.json"))
        if path.with_suffix(".sidecar.json.gz").exists() and json.loads(path.read_bytes())["kind"] == "parity"
    )
    path, bomb = results / gate.relative_to(committed), gzip.compress(bytes(100 << 20))
    path.parent.mkdir(parents=True)
    path.with_suffix(".sidecar.json.gz").write_bytes(bomb)
    path.write_text(
        json.dumps(json.loads(gate.read_bytes()) | {"sidecar": {"sha256": hashlib.sha256(bomb).hexdigest()}})
    )
    refused = map(str, checking.check([results], results, HISTORY).refused)
    assert any(
        "sidecar: holds nothing: no JSON in one whole gzip of at most 16 MiB" in one for one in refused
    )


def planted(results: Path, kind: str, part: str, change: Callable[[Document, Document], None]) -> list[str]:
    """What is refused of a record whose ``part`` of the sidecar was changed with it; each agrees with the other."""
    committed = ROOT / "results"
    original, document, held = next(
        (path, document, held)
        for path in sorted(committed.rglob("*.json"))
        if MANIFESTS not in path.parts
        and (document := json.loads(path.read_bytes())).get("kind") == kind
        and document["record_version"] == 3
        and document["case"]["workload"] == "resnet50"
        and (sidecar := path.with_suffix(".sidecar.json.gz")).exists()
        and part in (held := json.loads(gzip.decompress(sidecar.read_bytes())))
    )
    change(document, held)
    sidecar = gzip.compress(json.dumps(held).encode())
    document["sidecar"]["sha256"] = hashlib.sha256(sidecar).hexdigest()
    path = results / original.relative_to(committed)
    path.parent.mkdir(parents=True)
    path.with_suffix(".sidecar.json.gz").write_bytes(sidecar)
    path.write_text(json.dumps(document, separators=(",", ":")))
    return [str(one.doubt) for one in checking.check([results], results, HISTORY).refused]


def at(held: Document, part: str) -> tuple[int, list[Document]]:
    """Where a part of the gate is in the sidecar, and its comparisons."""
    place = next(place for place, one in enumerate(held["gate"]) if one["part"] == part)
    return place, held["gate"][place]["diffs"]


def test_a_sidecar_with_wider_tolerances_than_its_commits_reference_is_refused(tmp_path: Path) -> None:
    def wider(document: Document, held: Document) -> None:
        place, diffs = at(held, "precision")
        one = next(one for one in diffs if one["what"].startswith(("updates", "outputs")))
        one |= {"value": 8e-3, "tolerance": 9e-3}
        document["parity"]["parts"][place]["worst"] = one

    (said,) = planted(tmp_path / "results", "parity", "gate", wider)
    assert said.startswith("sidecar.gate.precision: ") and "a tolerance of 0.009" in said


def test_a_gate_of_fewer_comparisons_than_its_commits_reference_is_refused(tmp_path: Path) -> None:
    def fewer(document: Document, held: Document) -> None:
        place, diffs = at(held, "precision")
        worst = document["parity"]["parts"][place]["worst"]
        diffs[:] = [one for one in diffs if one["what"] == worst["what"]]
        document["parity"]["parts"][place]["checks"] = len(diffs)

    (said,) = planted(tmp_path / "results", "parity", "gate", fewer)
    assert said.startswith("sidecar.gate.precision: ") and "is not compared" in said


def test_latencies_that_do_not_fill_their_phase_are_refused(tmp_path: Path) -> None:
    def faster(document: Document, held: Document) -> None:
        times = held["latencies_ns"] = [time // 5 for time in held["latencies_ns"]]
        told = [int(value) for value in np.percentile(times, [50, 90, 95, 99])]
        latency = document["timing"]["latency"]
        for name, value in zip(("p50_ns", "p90_ns", "p95_ns", "p99_ns"), told, strict=True):
            latency[name] = None if latency[name] is None else value

    said = planted(tmp_path / "results", "timing", "latencies_ns", faster)
    assert any(one.startswith("sidecar.latencies_ns: ") and "in a phase of" in one for one in said), said


@pytest.mark.parametrize("times", [[True] * 200, ["1"] * 200, [1 << 60] * 200, {}, None, [0] * 200])
def test_latencies_that_are_no_times_are_a_sentence(tmp_path: Path, times: object) -> None:
    said = planted(
        tmp_path / "results", "timing", "latencies_ns", lambda document, held: held.update(latencies_ns=times)
    )
    assert any(one.startswith("sidecar.latencies_ns: ") for one in said), said


def test_a_round_that_is_left_out_and_a_dirty_tree_elsewhere_are_warnings(tmp_path: Path) -> None:
    third, document = next(
        (path, document)
        for path in sorted((ROOT / "results").rglob("*.json"))
        if MANIFESTS not in path.parts
        and (document := json.loads(path.read_bytes())).get("round") == 3
        and document["record_version"] == 3
    )
    document["provenance"]["dirty"] = True
    path = tmp_path / third.relative_to(ROOT / "results")
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(document, separators=(",", ":")))
    shutil.copy(third.with_suffix(".sidecar.json.gz"), path.parent)
    said = [str(one.doubt) for one in checking.check([tmp_path], tmp_path / "none", HISTORY).warnings]
    assert any(one.startswith("round: 3, and there is no round 2 of it") for one in said), said
    assert any(one.startswith("provenance.dirty: ") for one in said), said


def test_a_result_of_the_first_days_is_repeated_in_todays_words() -> None:
    """Its trials had no hash of their protocol, and the host that repeats them writes today's version."""
    record = next(
        record
        for _, record in store.load([ROOT / "results"]).every_trial
        if record.kind == "timing" and not record.provenance.protocol_hash
    )
    absent = ROOT / "build" / "no-such-file.json"
    known = [
        Known(HISTORY, {record.trial_id: record}, {record.trial_id: absent}, ROOT / "results", again=ids)
        for ids in (set(), {record.trial_id})
    ]
    fields = [[doubt.field for doubt in rules.doubts(record, one) if doubt.refused] for one in known]
    assert "record_version" in fields[0] and "provenance.protocol_hash" in fields[0]
    assert fields[1] == []


def test_a_window_in_which_nothing_was_sampled_is_no_fault(tmp_path: Path) -> None:
    """What is shorter than the sampler's first tick has no samples; that a long one had no tick is said elsewhere."""

    def unseen(document: Document, held: Document) -> None:
        document["telemetry"]["ticks"] = 0
        del held["telemetry"]
        held["libraries"] = []

    said = planted(tmp_path / "results", "timing", "telemetry", unseen)
    assert [one for one in said if one.startswith("sidecar")] == []
    assert any(one.startswith("telemetry.ticks: ") for one in said)
