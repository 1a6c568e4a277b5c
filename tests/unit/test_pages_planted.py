"""A workload and a stack that nobody has heard of, planted as folders: the pages find them without being told."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from framebench.records import store
from harness.record import Case, Contender, ImageRef
from tests.record_factory import make_trials, sha

ROOT = Path(__file__).resolve().parents[2]
NEEDED = ("containers", "site", "suites", "mkdocs.yml")

STACK = '''"""Abacus: beads on wires."""

from harness.frameworks import StackInfo

STACKS = (
    StackInfo(
        name="abacus",
        title="Abacus",
        framework="abacus",
        modes={"eager": ("", "left-handed"), "compiled": ("sliding",)},
        modules=("abacus",),
        words={"compiled": "slide rule", "sliding": "", "left-handed": "left-handed"},
        about="Beads are moved *one by one*; nothing is ever compiled away.",
    ),
    StackInfo(
        name="ledger-abacus",
        title="Ledger on Abacus",
        framework="ledger",
        backend="abacus",
        modes={"eager": ("loop",)},
        modules=("ledger",),
        words={"loop": "whole pages"},
    ),
)


def environment(stack, cores, cache_dir):
    return {}
'''
DRIVER = '''"""How an abacus is stepped. Its rods are *columns* (``ROD_1``), turned into rows."""


def build(job, stack):
    return "beads were moved here"
'''
SPEC = '''"""sundial: tells the time from a shadow, <b>slowly</b>.

It has one gnomon.
"""

from typing import NamedTuple

from harness.workloads.specification import AdamW, Gate, GateSize, Input, Tensor, Uniform, Work, Workload


class Preset(NamedTuple):
    hours: int


SPEC = Workload(
    name="sundial",
    presets={"garden": Preset(hours=12)},
    inputs={"light": Input(("B", "hours"), Uniform(1.0))},
    tensors=lambda preset: {"gnomon.kernel": Tensor(shape=(preset.hours, 3), a=0.5)},
    tasks={"call": Work(inputs=("light",), outputs=("time",), unit="calls")},
    flops=lambda preset, batch, task: 1000 * batch,
    optimizer=AdamW(lr=0.01),
    gate=Gate(sizes={"garden": GateSize(batch=2)}),
    decisions={"twilight": "counts as night"},
)
'''
RENDER = """
import json, sys
from pathlib import Path
from framebench import dataset
from framebench.pages.evidence import gather
from framebench.pages.site import render
root = Path(sys.argv[1])
files = render(gather(root, dataset.load([root / "results"])))
text = {name: str(one) for name, one in files.items() if not isinstance(one, bytes)}
json.dump(text, sys.stdout)
"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Every page of a clone with the two folders in it, by a fresh interpreter."""
    root = tmp_path_factory.mktemp("clone")
    for name in NEEDED:
        (root / name).symlink_to(ROOT / name)
    for package in ("harness", "framebench"):
        shutil.copytree(ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__"))
    for path, text in {
        "frameworks/abacus/__init__.py": STACK,
        "frameworks/abacus/driver.py": DRIVER,
        "workloads/sundial/__init__.py": "",
        "workloads/sundial/spec.py": SPEC,
        "workloads/sundial/abacus.py": "def model(preset):\n    return 'a shadow'\n",
    }.items():
        file = root / "harness" / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    contenders = (
        Contender(stack="abacus", mode="eager"),
        Contender(stack="abacus", mode="eager", variant="left-handed"),
        Contender(stack="abacus", mode="compiled", variant="sliding"),
        Contender(stack="ledger-abacus", mode="eager", variant="loop"),
    )
    image = ImageRef(name="abacus-1-cpu-py311", config_digest=f"sha256:{sha('abacus')}")
    times = {"abacus-eager": 80e6, "abacus-eager-left-handed": 60e6, "abacus-compiled-sliding": 70e6}
    times["ledger-abacus-eager-loop"] = 95e6
    case = Case(workload="sundial", preset="garden", task="call", batch=16, cores=2)
    for record in make_trials(contenders, [case], step_ns=times, image=image):
        store.write(record, root / "results")
    done = subprocess.run(
        [sys.executable, "-c", RENDER, str(root)],
        env=os.environ | {"PYTHONPATH": str(root)},
        cwd=root,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    found: dict[str, str] = json.loads(done.stdout)
    return found


def words(text: str) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub("<[^>]+>", " ", text)))


def test_home_asks_and_answers_for_the_workload_with_the_framework_at_its_best(pages: dict[str, str]) -> None:
    home = words(pages["index.md"])
    assert "Call sundial Tells the time from a shadow, <b>slowly</b>." in home
    assert "Abacus, eager, left-handed is the fastest" in home  # the best of its modes and variants
    assert "the speed of Ledger at its best, on Abacus, eager, whole pages." in home
    assert "Abacus, JAX, PyTorch, TensorFlow, Keras or Ledger: which one" in home


def test_the_workload_has_its_page(pages: dict[str, str]) -> None:
    assert 'href="sundial/"' in pages["workloads/index.md"]
    text = pages["workloads/sundial.md"]
    said = words(text)
    assert "It has one gnomon." in said and "<b>slowly" not in text
    assert '=== "Abacus"' in text and "return 'a shadow'" in text
    assert (
        "twilight counts as night" in said and "batch × hours" in said and "AdamW" not in said
    )  # no training
    assert "work, calling the framework, batch 1 1.00 kFLOP" in said and "gnomon.kernel" in said
    assert "source/harness/workloads/sundial/abacus.py" in pages


def test_the_stack_has_its_page_with_what_is_timed(pages: dict[str, str]) -> None:
    assert 'href="abacus/"' in pages["stacks/index.md"]
    text = pages["stacks/abacus.md"]
    assert "# Abacus" in text and "Beads are moved *one by one*" in text
    assert "Its rods are \\*columns\\* (`ROD_1`)" in text
    assert "beads were moved here" in text and "source/harness/frameworks/abacus/driver.py" in pages
    assert "slide rule" in words(text) and "abacus-compiled-sliding" in text
    assert 'href="../abacus/"' in pages["stacks/ledger-abacus.md"]


def test_compiled_stands_beside_eager_and_the_stack_has_a_colour(pages: dict[str, str]) -> None:
    assert "When compiling pays off" in pages["workloads/sundial.md"]
    assert '[data-stack="abacus"] { --fb-colour:' in pages["assets/stacks.css"]
    assert '[data-stack="ledger-abacus"]' in pages["assets/stacks.css"]


def test_a_workload_of_calls_is_in_the_guide_to_them(pages: dict[str, str]) -> None:
    guide = words(pages["guides/operations.md"])
    assert "garden, batch 16" in guide and "Abacus, eager, left-handed" in guide
    assert "../guides/operations.md" in pages["workloads/sundial.md"]


def test_no_page_module_template_or_style_names_a_workload_or_a_stack() -> None:
    """Prose may speak of a framework, and what people claim and ask does; a list of them is the registries' alone."""
    from harness import frameworks, workloads

    stacks = [name for name in frameworks.stacks() if name != frameworks.SELF_TEST]
    quoted = re.compile(rf"""["']({"|".join(map(re.escape, [*stacks, *workloads.names()]))})["']""")
    shown = [*(ROOT / "framebench" / "pages").rglob("*.py"), *(ROOT / "site" / "templates").rglob("*.j2")]
    shown += [ROOT / "site" / "assets" / name for name in ("framebench.css", "framebench.js")]
    named = {path.name: found for path in shown if (found := quoted.findall(path.read_text()))}
    assert named.keys() == {"circulating.py", "questions.py"}
