"""Each stack for real: a parity trial and a short timing trial of mlp in a fresh process."""

from __future__ import annotations

import importlib.util
import json
import platform
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from framebench.records.versions import decode_record, encode_spec
from harness.record import Contender, Record, TrialSpec
from harness.thread_pools import TEAMS
from tests.requirement import require
from tests.unit.test_harness_trials import spec

pytestmark = pytest.mark.frameworks

CONTENDERS = [
    Contender(stack="torch", mode="eager"),
    Contender(stack="tensorflow", mode="eager"),
    Contender(stack="tensorflow", mode="compiled", variant="graph"),
    Contender(stack="tensorflow", mode="compiled", variant="xla"),
    Contender(stack="keras-tensorflow", mode="compiled", variant="graph-loop"),
    Contender(stack="keras-tensorflow", mode="compiled", variant="xla-direct"),
    Contender(stack="keras-torch", mode="eager", variant="loop"),
    Contender(stack="keras-torch", mode="eager", variant="direct"),
    Contender(stack="keras-jax", mode="eager", variant="loop"),
    Contender(stack="keras-jax", mode="compiled", variant="direct"),
]


def expected_teams(contender: Contender) -> list[str]:
    """What can be read back of this contender's pools."""
    if "torch" in contender.stack:
        return (
            ["intra", "inter", "omp", "mkl"] if platform.machine() == "x86_64" else ["intra", "inter", "omp"]
        )
    xla = ["xla_pool"] if contender.variant.startswith("xla") else []
    return ["xla_pool"] if contender.stack == "keras-jax" else ["intra", "inter", *xla]


def run(trial: TrialSpec, contender: Contender, cache: Path) -> Record:
    needed = {"keras-tensorflow": ["keras", "tensorflow"], "keras-torch": ["keras", "torch"]}
    modules = needed.get(contender.stack, contender.stack.split("-"))
    absent = [name for name in modules if importlib.util.find_spec(name) is None]
    require("frameworks", not absent, f"not installed here: {', '.join(absent)}")
    trial = msgspec.structs.replace(trial, contender=contender, cache_dir=str(cache))
    answer = subprocess.run(
        [sys.executable, "-m", "harness"],
        input=encode_spec(trial),
        capture_output=True,
        check=True,
        timeout=300,
    )
    return decode_record(answer.stdout)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.mark.parametrize("contender", CONTENDERS, ids=lambda contender: contender.slug)
def test_parity_of_training(contender: Contender, cache: Path) -> None:
    record = run(spec("parity"), contender, cache)
    assert record.outcome.status == "ok", record.outcome


@pytest.mark.parametrize("task", ["train", "infer"])
@pytest.mark.parametrize("contender", CONTENDERS, ids=lambda contender: contender.slug)
def test_timing(contender: Contender, task: str, cache: Path) -> None:
    record = run(spec(task=task), contender, cache)
    assert record.outcome.status == "ok", record.outcome
    assert record.settings is not None
    threads = record.settings.threads
    assert set(expected_teams(contender)) <= {name for name, count in threads.items() if count is not None}
    assert all(threads.get(name) in (1, None) for name in TEAMS), threads
    assert record.timing is not None and record.timing.warmup.compile_events is not None
    assert record.software is not None and record.software.framework is not None
    assert record.timing is not None and record.timing.blocks
    assert record.first_output_check is not None and record.first_output_check.passed
    assert all(canary.passed for canary in record.canaries)


def test_a_retrace_inside_keras_is_counted() -> None:
    """Another batch size makes Keras' own functions trace again; the same one does not."""
    absent = [name for name in ("keras", "tensorflow") if importlib.util.find_spec(name) is None]
    require("frameworks", not absent, f"not installed here: {', '.join(absent)}")
    code = """
import json, numpy
from harness import workloads
from harness.record import Contender
from tests.integration.parity_matrix import job_of, start
counts = {}
for variant in ("graph-loop", "xla-direct"):
    contender = Contender(stack="keras-tensorflow", mode="compiled", variant=variant)
    stack = start(contender, None)
    work = workloads.build(job_of(contender, "mlp", "smoke", "train"), stack)
    counts[variant] = []
    other = (numpy.zeros((5, 8, 8), "f4"), numpy.zeros(5, "i8"))
    for step in (lambda: work.run(1), lambda: work.run(4), lambda: work.model.fit(*other, batch_size=5, verbose=0)):
        step()
        counts[variant].append(stack.compile_events())
print(json.dumps(counts))
"""
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300
    )
    for first, again, other in json.loads(answer.stdout.splitlines()[-1]).values():
        assert 1 <= first == again < other


@pytest.mark.slow
def test_torch_compiled_needs_no_second_compilation(cache: Path) -> None:
    contender = Contender(stack="torch", mode="compiled")
    record = run(spec(task="infer"), contender, cache)
    assert record.outcome.status == "ok", record.outcome
    assert record.settings is not None
    assert record.settings.compile["graphs"] == 1
    assert record.settings.compile["graph_breaks"] == 0
