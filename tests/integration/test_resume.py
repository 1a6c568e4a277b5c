"""A run that is killed in mid-trial loses no finished trial, and the same command finishes it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from framebench.errors import UserError
from framebench.executors.connection import connect
from framebench.records import store
from tests.requirement import require

ROOT = Path(__file__).resolve().parents[2]


def engine_answers() -> bool:
    try:
        connect()
    except UserError:
        return False
    return True


@pytest.mark.docker
def test_sigkill_in_mid_trial(tmp_path: Path) -> None:
    require("docker", engine_answers(), "no Docker engine answers")
    command = [sys.executable, "-m", "framebench.cli", "run", "--suite", "smoke", "--budget", "none"]
    command += ["--executor", "docker", "--results", str(tmp_path), "--case", "mlp/*"]
    command += ["--contender", "tensorflow-compiled-graph"]

    first = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert first.stdout is not None
    try:
        while not list(tmp_path.rglob("*.json")):
            assert first.poll() is None, first.stdout.read()
            time.sleep(0.1)
        time.sleep(1.5)  # into the next trial
    finally:
        first.send_signal(signal.SIGKILL)
        first.wait()
    finished = {path: path.read_bytes() for path in tmp_path.rglob("*.json")}
    assert 1 <= len(finished) < 3

    second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert second.returncode == 0, second.stdout + second.stderr
    assert f"{len(finished)} done already" in second.stdout
    assert {path: path.read_bytes() for path in finished} == finished
    records = [record for _, record in store.load([tmp_path]).records]
    assert sorted(record.kind for record in records) == ["memory", "parity", "timing"]
    assert store.load([tmp_path]).faults == []

    third = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert "done already" in third.stdout and third.returncode == 0
    assert len(list(tmp_path.rglob("*.json"))) == 3
