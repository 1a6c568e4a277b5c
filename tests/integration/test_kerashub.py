"""KerasHub beside ours: its loop takes the very steps of its model, its weights are ours, and both write one text."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness import frameworks
from harness.frameworks.library import LibraryInfo
from tests.requirement import require

pytestmark = pytest.mark.frameworks
ROOT = Path(__file__).parents[2]
STACKS = [info for info in frameworks.stacks().values() if isinstance(info, LibraryInfo)]

BEGIN = """
import msgspec, numpy as np
from harness import frameworks
from harness.gate.check import timed_job
from harness.record import Case, Contender

def built(task, variant):
    contender = Contender(stack=STACK, mode=MODE, variant=variant)
    case = Case(workload="gpt", preset="smoke", task=task, batch=3, cores=1)
    stack = frameworks.load(STACK)
    stack.configure(case, contender, 0)
    return frameworks.build(timed_job(case, contender), stack)
"""


def told(info: LibraryInfo, code: str) -> str:
    """What code prints in a process of its own: a backend is chosen once for each."""
    absent = [name for name in info.modules if importlib.util.find_spec(name) is None]
    require("frameworks", not absent, f"not installed here: {', '.join(absent)}")
    mode, _ = info.plainest
    done = subprocess.run(
        [sys.executable, "-c", f"STACK, MODE = {info.name!r}, {mode!r}\n{BEGIN}{code}"],
        cwd=ROOT,
        env=os.environ | frameworks.environment(info.name, 1, None) | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize("info", STACKS, ids=lambda info: info.name)
def test_the_loop_takes_the_steps_that_it_is_asked_for_and_compiles_once(info: LibraryInfo) -> None:
    loop, direct = (
        next(one for one in info.modes[info.plainest[0]] if one.endswith(end)) for end in ("loop", "direct")
    )
    code = f"""
direct, loop = (built("decode", variant) for variant in ({direct!r}, {loop!r}))
compiled = set()
for n in (1, 5, 1, 30, 64):  # the tokens of the smoke preset begin again after 32
    expected, found = (one.outputs(one.stack.barrier(one.run(n)))["logits"] for one in (direct, loop))
    print(np.abs(expected - found).max() < 1e-5, direct.steps_done() == loop.steps_done())
    compiled.add(loop.stack.compile_events())
print(len(compiled), loop.steps_done())
"""
    assert told(info, code).split("\n")[:-1] == ["True True"] * 5 + ["1 101"]


@pytest.mark.parametrize("info", STACKS, ids=lambda info: info.name)
def test_weights_come_back_bit_by_bit_and_training_is_refused(info: LibraryInfo) -> None:
    variant = next(one for one in info.modes[info.plainest[0]] if one.endswith("direct"))
    code = f"""
driver = built("prefill", {variant!r})
changed = {{name: array + np.float32(0.5) for name, array in driver.job.weights.items()}}
driver.reset(changed)
held = driver.state().tensors
print(held.keys() == changed.keys() and all(np.array_equal(held[name], changed[name]) for name in changed))
for task, variant in (("train", {variant!r}), ("prefill", {info.plainest[1]!r})):
    try: built(task, variant)
    except frameworks.Unsupported as refused: print(refused.reason)
"""
    assert told(info, code).splitlines() == [
        "True",
        f"{info.title} is compared in prefill and decode alone, not in train",
        "KerasHub has no loop of its own for prefill",
    ]


@pytest.mark.parametrize("info", STACKS, ids=lambda info: info.name)
def test_generate_writes_the_text_that_ours_writes(info: LibraryInfo) -> None:
    code = f"""
from benchmarks.generation import both
ours, theirs = both({info.backend!r}, "smoke", 3)  # which refuses other texts
text = theirs()
print(text.shape, np.array_equal(text, ours()), len(np.unique(text)) > 1)
"""
    assert told(info, code).splitlines()[-1] == "(3, 32) True True"
