"""``framebench prove`` on a real framework: what a process answers, what a refusal and an end of the process are."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from framebench.commands.prove import Cell, case_of, prove
from framebench.executors.proving_process import ProvingProcess, cores
from harness.record import Contender
from tests.requirement import require

pytestmark = pytest.mark.frameworks
ROOT = Path(__file__).parents[2]
TORCH = Contender(stack="torch", mode="eager", variant="")


@pytest.fixture
def process() -> Iterator[ProvingProcess]:
    require("frameworks", importlib.util.find_spec("torch") is not None, "not installed here: torch")
    made = ProvingProcess(ROOT, Path(sys.executable), TORCH, "fp32", cores()[0])
    yield made
    made.stop()


def cell(task: str, faults: bool = False) -> Cell:
    return Cell(case_of("mlp", "smoke", task, "fp32"), TORCH, faults, "key")  # type: ignore[arg-type]


def test_a_right_implementation_is_proven_with_what_was_caught(process: ProvingProcess) -> None:
    proof, words = prove(process, cell("infer", faults=True))
    assert proof is not None, words
    assert proof.key == "key"
    assert proof.compared > 0
    assert "rows of a kernel in another order" in [name for found in proof.caught.values() for name in found]
    assert f"{proof.faults_caught} faults caught" in words


def test_a_process_that_died_is_no_proof_and_starts_again(
    process: ProvingProcess,
) -> None:
    proof, _ = prove(process, cell("train"))
    assert proof is not None
    assert process._process is not None
    os.kill(process._process.pid, signal.SIGKILL)
    proof, words = prove(process, cell("train"))
    assert proof is None
    assert "exit code" in words or "stderr.log" in words
    proof, _ = prove(process, cell("train"))
    assert proof is not None
