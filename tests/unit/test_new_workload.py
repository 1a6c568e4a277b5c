"""The skeleton of a workload: it imports, says what to write next, and is found by a suite once it is written."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from framebench.commands.new import TEMPLATES, known_frameworks, skeleton
from harness import frameworks
from harness.frameworks.library import is_library

ROOT = Path(__file__).resolve().parents[2]
SUITE = """
name = "garden"
title = "Garden"
rounds = 1
verdicts = false
timeout_s = 60
baseline = "torch-eager"
kinds = ["parity", "timing"]
contenders = ["torch-eager"]

[protocol]
name = "garden"

[[case]]
workload = "sundial"
preset = "smoke"
tasks = ["train"]
batch = 8
"""
TORCH = '''"""sundial in PyTorch."""

from torch import nn
from torch.nn import functional as F


class Perceptron(nn.Module):
    def __init__(self, preset):
        super().__init__()
        sizes = [(preset.features, preset.hidden), (preset.hidden, preset.classes)]
        self.dense = nn.ModuleList(nn.Linear(*size) for size in sizes)

    def forward(self, features):
        first, second = self.dense
        return second(F.silu(first(features)))


def model(preset):
    return Perceptron(preset)


def loss(model, features, label):
    return F.cross_entropy(model(features), label)
'''


def framebench(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "framebench.cli", *arguments],
        cwd=checkout,
        env=os.environ | {"PYTHONPATH": str(checkout)},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the code with a new workload ``sundial``."""
    root = tmp_path_factory.mktemp("checkout")
    for folder in ("framebench", "harness", "containers", "suites"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    done = framebench(root, "new", "workload", "sundial")
    assert done.returncode == 0, done.stderr
    assert "framebench reference sundial" in done.stdout
    return root


def test_the_skeleton_imports_and_every_stack_finds_a_file(checkout: Path) -> None:
    code = """
from harness import frameworks, workloads
spec = workloads.get("sundial")
preset = spec.presets["smoke"]
assert spec.weights(preset, 0).keys() == spec.tensors(preset).keys()
assert spec.batches(preset, 8, 0)["label"].shape == (4, 8)
assert spec.flops(preset, 8, "train") > spec.flops(preset, 8, "infer") > 0
assert not workloads.broken()
from harness.frameworks.exported import source_of
found = frameworks.stacks().values()
print(*(info.name for info in found if workloads.has_file("sundial", source_of(info).framework)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=checkout,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    written = {name for name, info in frameworks.stacks().items() if not is_library(info)}
    assert set(done.stdout.split()) == written - {frameworks.SELF_TEST}


def test_the_skeleton_is_as_clean_as_the_rest(checkout: Path) -> None:
    pytest.importorskip("ruff")
    folder = str(checkout / "harness" / "workloads" / "sundial")
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "ruff",
                *command,
                "--no-cache",
                "--config",
                str(ROOT / "pyproject.toml"),
                folder,
            ],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout


def test_each_framework_has_a_template_and_another_one_gets_a_file() -> None:
    assert {f"{name}.py.txt" for name in known_frameworks()} <= {path.name for path in TEMPLATES.iterdir()}
    for file, text in skeleton("sundial").items():
        assert "NAME" not in text and "FRAMEWORK" not in text, file


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("Sundial", "small letters"),
        ("sun-dial", "small letters"),
        ("2dials", "small letters"),
        ("../dial", "small letters"),
        ("class", "word of Python"),
        ("mlp", "has a mlp already"),
        ("naming", "has a naming already"),
        ("sundial", "has a sundial already"),
    ],
)
def test_a_bad_or_taken_name_is_one_sentence(checkout: Path, name: str, says: str) -> None:
    done = framebench(checkout, "new", "workload", name)
    assert done.returncode == 2
    assert says in done.stderr and len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("command", ["gate", "mutate"])
def test_the_first_words_are_what_to_write_first_and_then_what_is_next(checkout: Path, command: str) -> None:
    file = checkout / "harness" / "workloads" / "sundial" / "tensorflow.py"
    text = file.read_text()
    for wanted in ("write model(preset)", "write loss(model, *inputs)"):
        done = framebench(checkout, command, "sundial", "tensorflow")
        assert done.returncode == 2
        assert done.stderr.startswith(f"framebench: harness/workloads/sundial/tensorflow.py: {wanted}")
        assert len(done.stderr.strip().splitlines()) == 1
        file.write_text(file.read_text().replace("raise NotImplementedError(", "return tuple(", 1))
    file.write_text(text)


def test_a_reference_is_not_computed_from_an_unwritten_file(checkout: Path) -> None:
    done = framebench(checkout, "reference", "sundial")
    assert done.returncode == 2
    assert "sundial/torch.py: write model(preset)" in done.stderr


def test_once_written_a_suite_finds_it(checkout: Path, tmp_path: Path) -> None:
    (checkout / "harness" / "workloads" / "sundial" / "torch.py").write_text(TORCH)
    (checkout / "suites" / "garden.toml").write_text(SUITE)
    arguments = ("plan", "--suite", "garden", "--executor", "venv", "--results", str(tmp_path))
    done = framebench(checkout, *arguments)
    assert done.returncode == 0, done.stderr
    assert "sundial/smoke-train-b8-fp32" in done.stdout


@pytest.mark.frameworks
def test_once_written_the_gate_asks_for_the_reference_and_then_passes(checkout: Path) -> None:
    if importlib.util.find_spec("torch") is None:
        pytest.skip("needs torch")
    (checkout / "harness" / "workloads" / "sundial" / "torch.py").write_text(TORCH)
    asked = framebench(checkout, "gate", "sundial", "torch", "--executor", "system")
    assert asked.returncode == 1
    assert "framebench reference sundial" in asked.stdout
    made = framebench(checkout, "reference", "sundial", "--shape", "smoke:train:8")
    assert made.returncode == 2 and "sundial/jax.py: write model(preset)" in made.stderr
    assert framebench(checkout, "gate", "sundial", "torch", "--executor", "system").returncode == 0
