"""``framebench prove`` on a real framework: what a process answers, what a refusal and an end of the process are."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from framebench.commands.prove import Cell, case_of, prove
from framebench.executors.proving_process import ProvingProcess, cores
from framebench.records.proofs import read_proofs
from harness.record import Contender
from tests.ctrl_c import heed_ctrl_c
from tests.integration.numpy_clone import copy_tree
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


def test_ctrl_c_ends_it_at_once_and_keeps_what_is_proven(tmp_path: Path) -> None:
    require("frameworks", importlib.util.find_spec("torch") is not None, "not installed here: torch")
    copy_tree(tmp_path)
    for stored in tmp_path.glob("harness/workloads/*/proofs.json"):
        stored.unlink()
    code = """
import sys
from pathlib import Path
from types import SimpleNamespace
from rich.console import Console
from framebench.commands import prove

here = SimpleNamespace(prepare_row=lambda row, say: None, interpreter=lambda name: Path(sys.executable))
prove.VenvExecutor = lambda root: here  # the frameworks are in this interpreter already
prove.run(Path.cwd(), ["mlp"], ["torch"], Console(force_terminal=False, soft_wrap=True))
"""
    command = [sys.executable, "-u", "-c", code]
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=heed_ctrl_c,
    ) as running:
        assert running.stdout is not None
        said = [next(line for line in running.stdout if "passed, " in line)]
        children = psutil.Process(running.pid).children()
        assert children
        running.send_signal(signal.SIGINT)
        said += running.stdout.readlines()
        assert running.wait(timeout=60) != 0
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)
    entered = [line for line in said if re.match(r" *\d+/\d+ mlp torch", line)]
    proofs = read_proofs(tmp_path, "mlp")
    assert len(entered) < int(entered[0].split()[0].partition("/")[2])
    assert len(entered) == len(proofs) and all(": passed, " in line for line in entered)
