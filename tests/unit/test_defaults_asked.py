"""The frameworks themselves are asked: another default in the package is another answer."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from framebench.dataset import defaults
from framebench.records.defaults_document import decode_defaults
from harness import frameworks
from tests.requirement import require

ROOT = Path(__file__).resolve().parents[2]
STACKS = sorted(defaults.stored(ROOT))

pytestmark = pytest.mark.frameworks

PLANTED = {
    "torch": "import torch; torch.optim.Adam = functools.partial(torch.optim.Adam, eps=1e-3)",
    "jax": "import optax; optax.adam = functools.partial(optax.adam, eps=1e-3)",
    "keras": "import keras; keras.optimizers.Adam = functools.partial(keras.optimizers.Adam, epsilon=1e-3)",
}
"""By framework, another epsilon of Adam than the installed package has."""


def asked(stack: str, planted: str = "") -> str:
    """What a fresh process answers in this interpreter, after ``planted``."""
    for module in frameworks.info(stack).modules:
        require("frameworks", importlib.util.find_spec(module) is not None, f"{module} is not installed")
    code = (
        "import functools, os, sys, msgspec; from harness import defaults, frameworks\n"
        f"os.environ.update(frameworks.environment({stack!r}, 1, None))\n"
        f"{planted}\n"
        f"answer = msgspec.json.encode(defaults.table({stack!r})).decode()\n"
        "print('answer:' + answer)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.rpartition("answer:")[2]


@pytest.mark.parametrize("stack", STACKS)
def test_the_stored_table_is_what_the_installed_packages_answer(stack: str) -> None:
    image, stored = defaults.stored(ROOT)[stack]
    answer = decode_defaults(asked(stack), stack, "mend it")
    if answer.packages != stored.packages:
        pytest.skip(f"{image} has {stored.packages}, here are {answer.packages}")
    assert answer.answers == stored.answers


@pytest.mark.parametrize("framework", sorted(PLANTED))
def test_another_default_is_another_answer_as_written_and_as_measured(framework: str) -> None:
    stack = next(name for name in STACKS if frameworks.info(name).framework == framework)
    answers = json.loads(asked(stack, PLANTED[framework]))["answers"]
    assert answers["adam_epsilon"]["value"] == 1e-3
    true_value = defaults.stored(ROOT)[stack][1].answers["adam_first_step_epsilon"].value
    assert isinstance(true_value, float) and answers["adam_first_step_epsilon"]["value"] > 100 * true_value
