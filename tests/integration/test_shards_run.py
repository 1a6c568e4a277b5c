"""Two machines measure a shard each, and together they have done what one would have done alone."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from framebench.records import store
from tests.requirement import require

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.frameworks, pytest.mark.slow]


def measure(results: Path, *options: str, **environment: str) -> str:
    answer = subprocess.run(
        [
            *(sys.executable, "-m", "framebench.cli", "run", "--executor", "system", "--suite", "smoke"),
            *("--case", "mlp/*", "--case", "convstack/*", "--contender", "torch-eager"),
            *("--budget", "none", "--results", str(results), *options),
        ],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


def test_shards_together_are_the_whole(tmp_path: Path) -> None:
    require("frameworks", importlib.util.find_spec("torch") is not None, "torch is not installed")
    first, second = tmp_path / "first", tmp_path / "second"
    assert "shard 1/2: 1 of 2 cases" in measure(first, "--shard", "1/2")
    assert "shard 2/2: 1 of 2 cases" in measure(second, "--shard", "auto/2", SLURM_ARRAY_TASK_ID="2")
    workloads = {
        folder: {record.case.workload for _, record in store.load([folder]).records}
        for folder in (first, second)
    }
    assert set.union(*workloads.values()) == {"mlp", "convstack"}
    assert not workloads[first] & workloads[second]
    for path in second.rglob("*.*"):  # merging is copying
        if path.is_file():
            target = first / path.relative_to(second)
            assert not target.exists()
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    assert store.load([first]).faults == []
    before = sorted(first.rglob("*.json"))
    assert "everything in this plan is done already" in measure(first)
    assert "everything in this plan is done already" in measure(first, "--shard", "2/2")
    assert sorted(first.rglob("*.json")) == before
    assert len({record.campaign_id for _, record in store.load([first]).records}) == 1
