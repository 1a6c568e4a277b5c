"""The table of faults can find something: what is missing, torn, changed or twice, what still runs, a wrong end."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import faults
from benchmarks.misbehaving.deeds import DEEDS, Deed
from framebench.records import store
from tests.record_factory import make_record, trial_id


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> faults.Bed:
    return faults.Bed(tmp_path_factory.mktemp("faults") / "clone", "system")


@pytest.fixture
def results(tmp_path: Path) -> Path:
    for number in (1, 2, 3):
        store.write(make_record(round=number, trial_id=trial_id(number)), tmp_path)
    return tmp_path


def first(results: Path) -> Path:
    return min(results.rglob("*.json"))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda results: None, []),
        (lambda results: first(results).unlink(), ["1 of 3 trials are missing"]),
        (
            lambda results: store.write(make_record(round=1, trial_id=trial_id(9)), results),
            ["is there 2 times"],
        ),
        (
            lambda results: first(results).write_bytes(first(results).read_bytes()[:-9]),
            ["restore the file or delete it", "was changed", "1 of 3 trials are missing"],
        ),
    ],
)
def test_what_is_lost_is_said(results: Path, damage: Callable[[Path], object], says: list[str]) -> None:
    before = faults.finished(results)
    damage(results)
    here = {path: data for path, data in before.items() if path.exists()}
    found = faults.lost(results, 3, here)
    assert len(found) == len(says)
    assert all(words in line for words, line in zip(says, found, strict=True))


def test_a_process_that_a_trial_left_behind_is_found(bed: faults.Bed) -> None:
    assert bed.still_running() == []
    script = f"import time; print('here', flush=True); time.sleep(600)  # {faults.LEFT_BEHIND}"
    idle = [sys.executable, "-c", script]
    strangers = subprocess.Popen(idle, stdout=subprocess.PIPE)
    left = subprocess.Popen(idle, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(bed.folder)})
    try:
        for process in (strangers, left):  # before that /proc may not know yet what it runs
            assert process.stdout is not None and process.stdout.readline() == b"here\n"
        assert bed.still_running() == [f"process {left.pid} still runs"]
    finally:
        for process in (strangers, left):
            process.kill()
            process.wait()
    assert bed.still_running() == []


def test_an_end_that_a_deed_cannot_have_is_a_loss(
    bed: faults.Bed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended(outcome: str) -> Callable[..., tuple[int, str]]:
        return lambda command: (0, outcome)

    monkeypatch.setattr(
        faults, "DEEDS", {"sound": DEEDS["sound"], "killed": Deed(DEEDS["killed"].do, ("oom",))}
    )
    monkeypatch.setattr(bed, "run", ended("nothing was measured"))
    sound, killed, campaign = faults.of_trials(bed, tmp_path / "none", 1)
    assert sound.lost and killed.lost and "of 8 trials are missing" in campaign.lost[0]


def test_what_cannot_be_tried_is_no_success(
    bed: faults.Bed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bed, "run", lambda command: (1, "unshare: Operation not permitted"))
    line = faults.of_the_disk(bed, tmp_path, "full disk", "mount")
    assert line.lost == ["not tried: unshare: Operation not permitted"]
