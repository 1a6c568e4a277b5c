"""A result's page says who signed it and who reproduced it, and believes no signature of other bytes."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from framebench import dataset
from framebench.pages import vouched
from framebench.pages.evidence import gather
from framebench.records import store
from framebench.records.manifests import campaigns, compose
from framebench.records.placing import ALLOWED_SIGNERS
from framebench.records.signature import sign
from tests.record_factory import CASE, CONTENDERS, make_reproduction, make_trials
from tests.requirement import require

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys of grace and ada, whom the file ``allowed`` names, and of a stranger."""
    require("ssh-keygen", shutil.which("ssh-keygen") is not None, "there is no ssh-keygen")
    folder = tmp_path_factory.mktemp("keys")
    for name in ("grace", "ada", "stranger"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    lines = [f"{name} {(folder / f'{name}.pub').read_text()}" for name in ("grace", "ada")]
    (folder / "allowed").write_text("".join(lines))
    return folder


@pytest.fixture
def results(keys: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    for record in make_trials(cases=[CASE], contenders=CONTENDERS[:2], rounds=3):
        store.write(record, folder)
    shutil.copyfile(keys / "allowed", folder / ALLOWED_SIGNERS)
    return folder


def hand_in(results: Path, key: Path | None, paths: list[Path]) -> Path:
    manifest = compose("0123456789ab", paths, None)
    signature = None if key is None else sign(store.document_bytes(manifest), key)
    return store.write_manifest(manifest, signature, results)


def shown(results: Path) -> dict[str, str]:
    """Facts of the first result's page."""
    data = dataset.load([results], published=results)
    return {fact.name: fact.text for fact in vouched.facts(data.results[0], gather(ROOT, data))}


def everything(results: Path) -> list[Path]:
    return [path for paths in campaigns(store.load([results])).values() for path in paths]


def test_without_a_manifest_and_without_a_signature_a_result_is_unsigned(results: Path) -> None:
    assert shown(results) == {"Signed by": "nobody: unsigned", "Reproduced by": "nobody yet"}
    hand_in(results, None, everything(results))
    assert shown(results)["Signed by"] == "nobody: unsigned"


def test_a_signed_result_has_its_signers_name(results: Path, keys: Path) -> None:
    hand_in(results, keys / "grace", everything(results))
    assert shown(results)["Signed by"] == "grace"


def test_a_strangers_key_is_shown_by_its_fingerprint_and_by_no_name(results: Path, keys: Path) -> None:
    hand_in(results, keys / "stranger", everything(results))
    assert "nobody here knows, SHA256:" in shown(results)["Signed by"]


def test_trials_that_nobody_signed_are_counted(results: Path, keys: Path) -> None:
    first = dataset.load([results]).results[0].records
    hand_in(results, keys / "grace", [dataset.load([results]).paths[first[0].trial_id]])
    assert shown(results)["Signed by"] == (
        f"unsigned ({len(first) - 1} of {len(first)} trials); grace (1 of {len(first)} trials)"
    )


def test_a_changed_record_loses_its_signature(results: Path, keys: Path) -> None:
    hand_in(results, keys / "grace", everything(results))
    data = dataset.load([results])
    for record in data.results[0].records:
        path = data.paths[record.trial_id]
        path.write_bytes(path.read_bytes() + b"\n")
    assert shown(results)["Signed by"] == "nobody: unsigned"


def test_a_changed_manifest_loses_its_signature(results: Path, keys: Path) -> None:
    path = hand_in(results, keys / "grace", everything(results))
    path.write_bytes(path.read_bytes() + b"\n")
    assert shown(results)["Signed by"] == "nobody: unsigned"


def test_names_are_believed_of_the_published_folder_alone(results: Path, keys: Path, tmp_path: Path) -> None:
    hand_in(results, keys / "grace", everything(results))
    data = dataset.load([results], published=tmp_path / "elsewhere")
    text = vouched.facts(data.results[0], gather(ROOT, data))[0].text
    assert "grace" not in text and "SHA256:" in text


def test_a_reproduction_has_the_name_of_whoever_signed_it(results: Path, keys: Path) -> None:
    hand_in(results, keys / "grace", everything(results))
    again = make_reproduction(dataset.load([results]).results[0].id)
    path = store.write_reproduction(again, results)
    assert shown(results)["Reproduced by"] == f"unsigned, on {again.host_id}"
    hand_in(results, keys / "ada", [path])
    assert shown(results) == {"Signed by": "grace", "Reproduced by": f"ada, on {again.host_id}"}


def test_a_reproduction_that_failed_reproduces_nothing(results: Path) -> None:
    again = make_reproduction(dataset.load([results]).results[0].id, verdict="not reproduced")
    store.write_reproduction(again, results)
    assert shown(results)["Reproduced by"] == "nobody yet"
