"""Lies in real records: each is named, and the records that nobody touched are believed."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from framebench import checking
from framebench.checking import Checked, History
from framebench.records.store import MANIFESTS
from tests.planted_lies import LIES, plant

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


def test_a_sidecar_with_wider_tolerances_than_its_commits_reference_is_refused(tmp_path: Path) -> None:
    """Record and sidecar agree with each other, and the worst comparison passes."""
    results, committed = tmp_path / "results", ROOT / "results"
    gate, document = next(
        (path, document)
        for path in sorted(committed.rglob("*.json"))
        if MANIFESTS not in path.parts
        and (document := json.loads(path.read_bytes())).get("kind") == "parity"
        and document["case"]["task"] == "train"
        and document["record_version"] == 3
        and path.with_suffix(".sidecar.json.gz").exists()
    )
    held = json.loads(gzip.decompress(gate.with_suffix(".sidecar.json.gz").read_bytes()))
    place = next(place for place, part in enumerate(held["gate"]) if part["part"] == "precision")
    wider = next(one for one in held["gate"][place]["diffs"] if one["what"].startswith("updates"))
    wider |= {"value": 8e-3, "tolerance": 9e-3}
    document["parity"]["parts"][place]["worst"] = wider
    sidecar = gzip.compress(json.dumps(held).encode())
    document["sidecar"]["sha256"] = hashlib.sha256(sidecar).hexdigest()
    path = results / gate.relative_to(committed)
    path.parent.mkdir(parents=True)
    path.with_suffix(".sidecar.json.gz").write_bytes(sidecar)
    path.write_text(json.dumps(document, separators=(",", ":")))
    refused = [one.doubt for one in checking.check([results], results, HISTORY).refused]
    assert [doubt.field for doubt in refused] == ["sidecar.gate.precision"], refused
    assert wider["what"] in refused[0].words
