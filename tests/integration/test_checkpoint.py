"""Trained weights to start from: every tensor in float16, better than what was drawn; a wrong wish is one sentence."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from harness import workloads
from tests.requirement import require

pytestmark = pytest.mark.frameworks


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    require("frameworks", importlib.util.find_spec("torch") is not None, "torch is not installed")
    command = [sys.executable, "-m", "harness.trials.checkpoint", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_what_is_stored_has_been_trained(tmp_path: Path) -> None:
    done = run("mlp", "smoke", "32", "2", str(tmp_path / "made.npz"))
    assert done.returncode == 0, done.stderr[-2000:]
    said = done.stdout.splitlines()
    assert [line.rpartition(" ")[0] for line in said] == ["epoch 1: test accuracy", "epoch 2: test accuracy"]
    workload = workloads.get("mlp")
    preset, rule = workload.presets["smoke"], workload.learning
    assert rule is not None
    with np.load(tmp_path / "made.npz") as kept:
        tensors = {name: kept[name] for name in kept.files}
    assert {name: (one.shape, one.dtype) for name, one in tensors.items()} == {
        name: (one.shape, np.dtype(np.float16)) for name, one in workload.tensors(preset).items()
    }
    score = rule.score(preset, {name: one.astype(np.float32) for name, one in tensors.items()})
    assert said[-1].endswith(f" {score:.3f}") and score > 2 * rule.score(preset, workload.weights(preset, 0))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("convstack", "smoke", "8", "1"), "convstack declares no learning in its spec.py"),
        (("mlp", "huge", "8", "1"), "mlp has no preset 'huge'; it has smoke, cpu"),
        (("mlp", "smoke", "8", "0"), "batch and epochs are 1 or more"),
    ],
)
def test_a_wrong_wish_is_refused_in_one_sentence(
    tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    done = run(*arguments, str(tmp_path / "made.npz"))
    assert done.returncode == 2 and says in done.stderr.splitlines()[-1]
    assert not (tmp_path / "made.npz").exists()
