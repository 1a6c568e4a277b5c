"""The programs in ``examples/`` run, on every backend, and say what the site prints."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from framebench.dataset.declared import is_framework
from framebench.pages.guides.programs import frameworks_with, said
from framebench.pages.words import stacks
from harness.frameworks import StackInfo
from tests.requirement import require

pytestmark = pytest.mark.frameworks
ROOT = Path(__file__).resolve().parents[2]
STACKS = [one for one in stacks() if is_framework(one)]
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def run(stack: StackInfo, program: Path) -> subprocess.CompletedProcess[str]:
    absent = [name for name in stack.modules if importlib.util.find_spec(name) is None]
    require("frameworks", not absent, f"not installed here: {', '.join(absent)}")
    environ = os.environ | ({"KERAS_BACKEND": stack.backend} if stack.backend else {})
    command = [sys.executable, program]
    return subprocess.run(command, capture_output=True, text=True, timeout=900, env=environ)


@pytest.mark.parametrize("stack", STACKS, ids=lambda stack: stack.name)
def test_the_network_learns(stack: StackInfo) -> None:
    done = run(stack, ROOT / "examples" / stack.framework / "first_steps.py")
    assert done.returncode == 0, done.stderr
    name, accuracy = done.stdout.split()
    assert name == "accuracy" and float(accuracy) > 0.9


@pytest.mark.parametrize("stack", STACKS, ids=lambda stack: stack.name)
def test_a_wrong_shape_gives_the_words_that_the_site_prints(stack: StackInfo, tmp_path: Path) -> None:
    right = (ROOT / "examples" / stack.framework / "first_steps.py").read_text()
    wrong = right.replace("size=(1280, 8)", "size=(1280, 7)")
    assert wrong != right
    program = tmp_path / "wrong_shape.py"
    program.write_text(wrong)
    done = run(stack, program)
    spoken, stored = COLOUR.sub("", done.stderr), said(ROOT, stack.framework).wrong_shape
    assert done.returncode == 1
    assert stored.words.strip() in spoken
    own = re.findall(rf'File "{re.escape(str(program))}", line (\d+)', spoken)
    assert wrong.splitlines()[int(own[-1]) - 1].strip() == stored.at


@pytest.mark.parametrize(
    "stack",
    [one for one in STACKS if one.framework in frameworks_with(ROOT, "gradient.py")],
    ids=lambda one: one.name,
)
def test_a_gradient_prints_what_the_site_prints(stack: StackInfo) -> None:
    done = run(stack, ROOT / "examples" / stack.framework / "gradient.py")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == (said(ROOT, stack.framework).gradient or "").strip()


@pytest.mark.parametrize("framework", frameworks_with(ROOT, "said.toml"))
def test_the_words_are_of_the_version_that_is_pinned(framework: str) -> None:
    require("frameworks", importlib.util.find_spec(framework) is not None, f"{framework} is not installed")
    distributions = importlib.metadata.packages_distributions()[framework]
    assert said(ROOT, framework).version in {importlib.metadata.version(name) for name in distributions}
