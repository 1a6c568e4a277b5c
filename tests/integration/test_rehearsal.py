"""The way onto a card, rehearsed without one: from the plan to records, what is said of them, and to the pages."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from framebench import dataset
from framebench.executors import machine
from framebench.pages import result
from framebench.pages.evidence import gather
from framebench.pages.render import page
from framebench.pages.site import render
from framebench.records import store
from harness import flags
from harness.record import Record
from tests.fake_nvml import GPU, SECOND_GPU, Load, build
from tests.integration.gpu_rehearsal import CARD, assert_it_followed_the_steps, make_clone, make_pack
from tests.integration.numpy_clone import framebench

ROOT = Path(__file__).resolve().parents[2]
STAND_IN = "a driver that stands in for one, as the tests have, and no card of NVIDIA's"


class Stage(NamedTuple):
    """The clone at ``home``, and the folder that its pack was carried to, with the driver's library in it."""

    home: Path
    folder: Path

    @property
    def driver(self) -> Path:
        return self.folder / "driver"

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """The pack, on a machine whose driver is the fake one."""
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "LD_LIBRARY_PATH": str(self.driver),
        }
        return subprocess.run(
            [sys.executable, str(self.folder / "pack.pyz"), "run", *arguments],
            cwd=self.folder,
            env=environment | {"FAKE_PROCESSES": "0"} | variables,
            capture_output=True,
            text=True,
        )

    def records(self) -> list[Record]:
        return [record for _, record in store.load([self.folder / "pack-results"]).records]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    made = Stage(tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("there"))
    load = Load(made.folder / "load")
    build(made.driver, follows=str(load.path))
    make_clone(made.home)
    make_pack(made.home, made.folder / "pack.pyz")
    yield made
    for folder in made:
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def said(stage: Stage) -> str:
    """What the pack said of the whole campaign on the first card."""
    done = stage.run("--budget", "none")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_plan_names_the_card_and_every_trial(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", str(stage.driver))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    asked = ["plan", "--suite", "rehearsal", "--executor", "system", "--budget", "none"]
    planned = framebench(stage.home, *asked)
    assert planned.returncode == 0, planned.stderr
    assert f"GPU: Fake GPU 0, {GPU}" in planned.stdout
    assert "Fake GPU 0 is not free: 1 other process (4000000) holds it" in planned.stdout
    for kind in ("ceiling", "memory", "timing"):
        line = f"{kind:<10} planted/selftest-infer-b1-fp32-gpu1-c{machine.this_machine().cores_allowed}  numpy-eager"
        assert line in planned.stdout


def test_the_records_tell_what_the_trials_did(stage: Stage, said: str) -> None:
    assert "other process" not in said
    records = [record for record in stage.records() if record.protocol.name == "rehearsal"]
    assert sorted(record.kind for record in records) == ["ceiling", "memory", "timing"]
    for record in records:
        assert record.outcome.status == "ok", record.outcome
        assert record.provenance.host_id.startswith(f"{machine.host_id()}-{CARD}-")
        assert record.hardware is not None
        (card,) = record.hardware.gpus
        assert (card.persistence, card.ecc, card.capability) == (True, True, "9.0")
        assert card.power_limit_w == card.default_power_limit_w == 600.0
        assert flags.STAND_IN in record.flags
        if record.kind == "timing":
            assert_it_followed_the_steps(record)
    assert len({record.provenance.host_id for record in records}) == 1


@pytest.mark.usefixtures("said")
def test_everything_of_them_is_sound_but_that_there_was_no_card(stage: Stage) -> None:
    checked = framebench(stage.home, "check", str(stage.folder / "pack-results"))
    assert checked.returncode == 1
    refused = [line for line in checked.stdout.splitlines() if not line.startswith(("warning:", "note:"))]
    assert [line for line in refused if f"hardware.gpus: Fake GPU 0: {STAND_IN}" not in line] == []
    assert len(refused) == len(stage.records())


@pytest.mark.usefixtures("said")
def test_they_are_never_published(stage: Stage, tmp_path: Path) -> None:
    [archive] = stage.folder.glob("framebench-results-*.tar.gz")
    home = tmp_path / "results"
    unpacked = framebench(stage.home, "unpack", str(archive), "--results", str(home))
    assert unpacked.returncode == 2 and "is never published" in unpacked.stderr
    assert not list(home.rglob("*.json"))
    shutil.copytree(stage.folder / "pack-results", home)
    submitted = framebench(stage.home, "submit", "--results", str(home))
    assert submitted.returncode == 1
    assert "no card of NVIDIA's: what it says was measured nowhere and is never published" in submitted.stdout
    assert submitted.stdout.splitlines()[-1].startswith("nothing was handed in")
    assert not (home / "manifests").exists()
    assert dataset.load([home], published=home).results == []


@pytest.mark.usefixtures("said")
def test_the_pages_show_them_marked_and_in_no_ranking(stage: Stage) -> None:
    evidence = gather(ROOT, dataset.load([stage.folder / "pack-results"]))
    shown = [one for one in evidence.dataset.results if one.protocol.name == "rehearsal"]
    assert shown and not any(one.ranked for one in shown)
    host_id = shown[0].host_id
    assert "Fake GPU 0" in str(render(evidence)[f"hosts/{host_id}.md"])
    for one in shown:
        text = page(ROOT / "site" / "templates", "result.html.j2", **result.view(one, evidence))
        assert "no GPU" in text and "ECC on" in text and "Per sample" in text


def test_two_cards_are_two_hosts_that_nothing_compares(stage: Stage) -> None:
    driver = build(stage.folder / "two", "-DDEVICES=2", follows=str(stage.folder / "load"))
    done = stage.run("--suite", "two-cards", "--gpu", "all", "--budget", "none", LD_LIBRARY_PATH=str(driver))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"GPU: Fake GPU 0, {GPU}" in done.stdout and f"GPU: Fake GPU 1, {SECOND_GPU}" in done.stdout
    records = [record for record in stage.records() if record.protocol.name == "two-cards"]
    watched = {gpu.uuid_sha256 for one in records if one.telemetry for gpu in one.telemetry.gpus}
    assert watched == {hashlib.sha256(uuid.encode()).hexdigest() for uuid in (GPU, SECOND_GPU)}
    first, second = sorted(record.provenance.host_id for record in records)
    assert CARD in first and "fake-gpu-1" in second
    assert len({record.campaign_id for record in records}) == 2
    compared = [
        case
        for case in dataset.load([stage.folder / "pack-results"]).comparisons
        if case.protocol.name == "two-cards"
    ]
    assert [case.host_id for case in compared] == [first, second]
    assert [len(case.rows) for case in compared] == [1, 1]
    refused = framebench(stage.home, "check", str(stage.folder / "pack-results")).stdout.splitlines()
    assert all(STAND_IN in line for line in refused if not line.startswith(("warning:", "note:"))), refused
