"""Each stack for real: a parity trial and a short timing trial of mlp in a fresh process."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from harness.record import Contender, Record, TrialSpec, decode_record, encode_spec
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
    intra = record.settings.threads["intra"]
    assert intra in (1, None)  # XLA's CPU client cannot be asked
    assert record.software is not None and record.software.framework is not None
    assert record.timing is not None and record.timing.blocks
    assert record.first_output_check is not None and record.first_output_check.passed
    assert all(canary.passed for canary in record.canaries)


@pytest.mark.slow
def test_torch_compiled_needs_no_second_compilation(cache: Path) -> None:
    contender = Contender(stack="torch", mode="compiled")
    record = run(spec(task="infer"), contender, cache)
    assert record.outcome.status == "ok", record.outcome
    assert record.settings is not None
    assert record.settings.compile["graphs"] == 1
    assert record.settings.compile["graph_breaks"] == 0
