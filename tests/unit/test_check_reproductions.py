"""Lies in a reproduction: each is named with its field; what `framebench reproduce` wrote is believed."""

from __future__ import annotations

import io
import json
import math
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.console import Console

from framebench import checking
from framebench.checking import History
from framebench.commands import reproduce
from framebench.executors import Progress
from framebench.executors.machine import Machine
from framebench.records import store
from framebench.records.identity import result_id
from framebench.records.manifests import campaigns, compose
from harness.record import Contender, Record, TrialSpec
from tests.record_factory import make_record, make_trials

ROOT = Path(__file__).resolve().parents[2]
EAGER = Contender(stack="torch", mode="eager")
JAX = Contender(stack="keras-jax", mode="compiled", variant="loop")
OTHER = Contender(stack="torch", mode="compiled")
TWIN = msgspec.structs.replace(EAGER, twin=True)

Document = dict[str, Any]


class Elsewhere:
    """An executor whose trials take as long as those of ``make_record``, a little more each round."""

    name = "docker"
    engine = None

    def machine(self) -> Machine:
        return Machine("Far Away 9000", 64, 64, 8 << 30, "x86_64")

    def run(self, spec: TrialSpec, log: Progress) -> Record:
        slower = 95e6 if spec.contender == JAX else 80e6
        record = make_record(
            kind=spec.kind,
            contender=spec.contender,
            case=spec.case,
            step_ns=slower * (1 + 0.001 * spec.round * (spec.contender == JAX)),
        )
        return msgspec.structs.replace(
            record,
            trial_id=spec.trial_id,
            campaign_id=spec.campaign_id,
            round=spec.round,
            started_utc=datetime.now(UTC).isoformat(timespec="milliseconds"),
            image=spec.image,
            protocol=spec.protocol,
            provenance=spec.provenance,
        )


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A result beside two others and their A/A twin, reproduced with five rounds."""
    results = tmp_path_factory.mktemp("reproduced") / "results"
    records = make_trials(contenders=[EAGER, JAX, OTHER, TWIN], rounds=5)
    for record in records:
        store.write(record, results)
    wanted = next(result_id(one) for one in records if one.contender == JAX and one.kind == "timing")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reproduce, "choose", lambda root, wanted, say: Elsewhere())
        patch.setattr(reproduce, "prepare_as_recorded", lambda root, executor, trials, say: "local")
        assert reproduce.run(ROOT, results, wanted, 5, Console(file=io.StringIO())) == 0
    return results


@pytest.fixture
def results(reproduced: Path, tmp_path: Path) -> Path:
    shutil.copytree(reproduced, tmp_path / "results")
    return tmp_path / "results"


def written(results: Path) -> Path:
    return next(path for path in results.glob("reproductions/*/*.json"))


def trials(results: Path, kind: str = "timing") -> list[Path]:
    paths = sorted(results.glob("reproductions/*/trials/**/*.json"))
    return [path for path in paths if json.loads(path.read_bytes())["kind"] == kind]


def doubted(results: Path, *paths: Path) -> list[checking.Finding]:
    """What is said of the reproduction."""
    found = checking.check(paths or [results], results, History(results)).findings
    return [one for one in found if one.path.name == written(results).name]


def change(results: Path, **changes: Any) -> None:
    path = written(results)
    path.write_text(json.dumps(json.loads(path.read_bytes()) | changes))


def refused(results: Path, field: str) -> None:
    found = doubted(results)
    assert any(one.doubt.field == field and one.doubt.refused for one in found), list(map(str, found))
    assert all("; " in str(one) and "\n" not in str(one) for one in found)


def test_what_reproduce_wrote_is_believed(results: Path) -> None:
    assert doubted(results) == []
    assert doubted(results, written(results)) == []


def test_what_was_measured_later_changes_nothing(results: Path) -> None:
    """More rounds and another host's noise come into the tree after it was written."""
    for record in make_trials(contenders=[EAGER, JAX, TWIN], rounds=3, seed=2, spread=0.5):
        later = msgspec.structs.replace(record, trial_id=store.new_trial_id())
        store.write(later, results)
    assert doubted(results) == []


@pytest.mark.parametrize(
    ("field", "lie"),
    [
        ("recorded_ratio", lambda old: old * 1.001),
        ("new_ratio", lambda old: old / 2),
        ("ratio_of_ratios", lambda old: 1.0),
        ("low", lambda old: old * 0.999),
        ("low", lambda old: None),
        ("high", lambda old: old * 1.001),
        ("verdict", lambda old: "not reproduced"),
        ("verdict", lambda old: "undecided"),
        ("rounds_needed", lambda old: 7),
        ("busy_rounds", lambda old: 2),
        ("rounds", lambda old: 50),
        ("same_hardware", lambda old: True),
        ("executor", lambda old: "venv"),
        ("host_id", lambda old: "somebody-else-4c"),
        ("config_digest", lambda old: "sha256:" + "0" * 64),
        ("config_digest", lambda old: None),
        ("reproduced_utc", lambda old: "2099-01-01T00:00:00Z"),
        ("reproduced_utc", lambda old: "2026-11-24T00:00:00Z"),
        ("reproduced_utc", lambda old: "2026-02-31T00:00:00Z"),
        ("bound", lambda old: 0.01),
    ],
)
def test_a_field_that_its_trials_contradict_is_refused(
    field: str, lie: Callable[[Any], Any], results: Path
) -> None:
    change(results, **{field: lie(json.loads(written(results).read_bytes())[field])})
    refused(results, field)


@pytest.mark.parametrize(
    "changes",
    [
        {"new_ratio": -1.0},
        {"recorded_ratio": 0.0},
        {"ratio_of_ratios": 1e308},
        {"high": 1e308},
        {"low": -0.5},
        {"bound": -0.05},
        {"rounds": -1},
        {"rounds": 0},
        {"rounds_needed": 0},
        {"busy_rounds": -1},
        {"trial_ids": []},
        {"trial_ids": ["nonsense"]},
        {"contender": ""},
        {"baseline": "torch\u202eegaer"},
        {"host_id": "  "},
        {"reproduced_utc": "yesterday"},
        {"config_digest": "latest"},
        {"executor": ""},
    ],
)
def test_what_no_reproduction_can_say_is_no_reproduction(changes: Document, results: Path) -> None:
    change(results, **changes)
    loaded = store.load([results])
    assert loaded.reproductions == []
    (broken,) = loaded.broken
    assert broken.path == written(results) and next(iter(changes)) in broken.reason
    refused(results, "file")


def test_trials_that_are_not_there_are_named(results: Path) -> None:
    shutil.rmtree(next(results.glob("reproductions/*/trials")))
    refused(results, "trial_ids")


def test_an_invented_one_of_published_trials_is_refused(results: Path) -> None:
    """The trials of the result itself repeat nothing."""
    loaded = store.load([results])
    mine = [one.trial_id for _, one in loaded.records if one.kind == "timing"]
    change(results, trial_ids=mine)
    refused(results, "trial_ids")


def test_a_round_that_is_kept_back_is_named(results: Path) -> None:
    document = json.loads(written(results).read_bytes())
    change(results, trial_ids=document["trial_ids"][2:])
    refused(results, "trial_ids")


def test_a_trial_that_is_named_twice_is_refused(results: Path) -> None:
    document = json.loads(written(results).read_bytes())
    change(results, trial_ids=[*document["trial_ids"], document["trial_ids"][0]])
    refused(results, "trial_ids")


def test_trials_of_another_baseline_are_refused(results: Path) -> None:
    change(results, baseline="torch-compiled")
    refused(results, "trial_ids")
    change(results, baseline="nobody")
    refused(results, "baseline")


def test_a_campaign_without_its_gates_is_refused(results: Path) -> None:
    for path in trials(results, "parity"):
        path.unlink()
    refused(results, "trial_ids")


def test_a_reproduction_of_no_result_is_refused(results: Path) -> None:
    for path in results.iterdir():
        if path.name != "reproductions":
            shutil.rmtree(path)
    refused(results, "result_id")


def test_one_that_lies_below_another_result_is_refused(results: Path) -> None:
    folder = written(results).parent
    folder.rename(folder.with_name("abcdefgh23"))
    change(results, result_id="abcdefgh23")
    refused(results, "result_id")


def test_another_bound_is_said_and_refused_where_it_decides(results: Path) -> None:
    """The recorded A/A pairs give 5 %; the verdict is the same by a wider bound, until the trials are far off."""
    change(results, bound=0.08)
    (found,) = doubted(results)
    assert found.doubt.field == "bound" and not found.doubt.refused
    for path in trials(results):
        record = json.loads(path.read_bytes())
        if record["contender"]["stack"] == "torch":
            for block in record["timing"]["blocks"]:
                block[1] *= 2
            path.write_text(json.dumps(record))
    path = written(results)
    document = json.loads(path.read_bytes())
    told = {field: document[field] for field in ("new_ratio", "ratio_of_ratios", "low", "high")}
    change(results, bound=5.0, **{field: value / 2 for field, value in told.items()})
    found = doubted(results)[0]
    assert found.doubt.field == "bound" and found.doubt.refused
    assert "by which it is not reproduced" in found.doubt.words
    assert math.isclose(json.loads(path.read_bytes())["bound"], 5.0)


def test_one_that_was_not_handed_in_with_its_campaign_is_refused(results: Path) -> None:
    ((_, document),) = store.load([results]).reproductions
    loaded = store.load([results])
    mine = next(one.campaign_id for _, one in loaded.every_trial if one.trial_id == document.trial_ids[0])
    files = campaigns(loaded)[mine]
    assert written(results) in files
    without = [path for path in files if path != written(results)]
    store.write_manifest(compose(mine, without, None), None, results)
    refused(results, "manifest")
    store.write_manifest(compose(mine, [written(results)], None), None, results)
    assert doubted(results) == []
