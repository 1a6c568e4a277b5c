"""Nodes of a cluster: a slow one is found by the kernels of its trials, equal ones are not told apart."""

from __future__ import annotations

import io
import random
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from framebench.commands import fleet as command
from framebench.commands import slurm
from framebench.commands.parted import PartsRequest
from framebench.commands.saying import Sayer
from framebench.commands.slurm import job_file
from framebench.dataset.fleet import fleet
from framebench.errors import UserError
from framebench.records import store
from harness.record import Calibration, ClusterJob, Record
from tests.record_factory import make_record, trial_id

ROOT = Path(__file__).resolve().parents[2]
SPREAD = 0.004
QUIET = Sayer(Console(file=io.StringIO()))


def records(nodes: Mapping[str, tuple[float, float]], trials: int = 6, seed: int = 1) -> list[Record]:
    """``trials`` on each node, whose two kernels take so many times as long as usual."""
    chance = random.Random(seed)
    made = []
    for node, factors in nodes.items():
        job = ClusterJob(scheduler="slurm", job="7", node=node, partition="main", restarts=0)
        for number in range(trials):
            matmul, copy = (
                int(usual * factor * chance.lognormvariate(0.0, SPREAD))
                for usual, factor in zip((300_000, 760_000), factors, strict=True)
            )
            kernels = Calibration(
                matmul_before_ns=matmul, matmul_after_ns=1, copy_before_ns=copy, copy_after_ns=1, drift=0.0
            )
            made.append(
                make_record(
                    trial_id=trial_id(len(made)), round=number + 1, calibration=kernels, cluster_job=job
                )
            )
    return made


def written(folder: Path, made: list[Record]) -> Path:
    for record in made:
        store.write(record, folder)
    return folder


def said(folder: Path, percent: float = 2.0) -> tuple[int, str]:
    text = io.StringIO()
    code = command.run([folder], percent, Console(file=text, width=300))
    return code, text.getvalue()


def test_a_slow_clock_and_a_slow_memory_are_found_and_named(tmp_path: Path) -> None:
    made = records({"n1": (1.0, 1.0), "n2": (1.06, 1.0), "n3": (1.0, 1.0), "n4": (1.0, 1.09)})
    answers = {(one.node, one.kernel): one.answer for one in fleet(made, 0.02)}
    assert answers["n2", "matmul"] == "fail" and answers["n4", "copy"] == "fail"
    assert [answers[node, kernel] for node in ("n1", "n3") for kernel in ("matmul", "copy")] == ["pass"] * 4
    code, text = said(written(tmp_path, made))
    assert code == 1
    assert "n2 is slower than the others by more than 2 %" in text and "n4 is slower" in text
    assert "n1 is slower" not in text and "n3 is slower" not in text


def test_a_node_is_found_beside_one_that_is_much_slower() -> None:
    made = records({"n1": (1.0, 1.0), "n2": (2.0, 1.0), "n3": (1.1, 1.0)})
    answers = {one.node: one.answer for one in fleet(made, 0.02) if one.kernel == "matmul"}
    assert answers == {"n1": "pass", "n2": "fail", "n3": "fail"}


def test_a_job_array_leaves_the_slow_ones_out(tmp_path: Path) -> None:
    folder = written(tmp_path, records({"n1": (1.0, 1.0), "n2": (1.1, 1.0), "n3": (1.0, 1.2)}))
    slow = command.slower(command.nodes_of([folder], command.APART, QUIET))
    request = PartsRequest("cpu", (), (), "venv", None, None, None)
    lines = list(job_file(ROOT, request, 4, slow))
    assert next(line for line in lines if "--exclude=" in line).startswith("#SBATCH --exclude=n2,n3 ")
    assert not [line for line in job_file(ROOT, request, 4) if "--exclude=" in line]


def test_the_job_file_is_all_of_the_output_and_skipped_files_are_named_beside_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = written(tmp_path, records({"n1": (1.0, 1.0), "n2": (1.1, 1.0), "n3": (1.0, 1.0)}))
    (folder / "torn.json").write_text("{")
    slurm.run(ROOT, PartsRequest("cpu", (), (), "venv", None, None, None), 4, folder)
    told = capsys.readouterr()
    assert told.out.startswith("#!/bin/bash\n") and "--exclude=n2 " in told.out and "torn" not in told.out
    assert "warning: skipped" in told.err and "torn.json" in told.err


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), nodes=st.integers(2, 6))
def test_equal_nodes_are_never_called_slower(seed: int, nodes: int) -> None:
    made = records({f"n{number}": (1.0, 1.0) for number in range(nodes)}, seed=seed)
    assert "fail" not in {one.answer for one in fleet(made, 0.02)}


def test_a_faster_node_is_no_fault() -> None:
    made = records({"n1": (1.0, 1.0), "n2": (1.0, 1.0), "fast": (0.8, 0.8)})
    answers = {one.node: one.answer for one in fleet(made, 0.1) if one.kernel == "matmul"}
    assert answers["fast"] == "pass"


def test_one_trial_on_a_node_decides_nothing(tmp_path: Path) -> None:
    code, text = said(written(tmp_path, records({"n1": (1.0, 1.0), "n2": (1.5, 1.0)}, trials=1)))
    assert code == 3 and "undecided" in text and "is slower" not in text


def test_machines_of_another_kind_are_not_held_against_each_other(tmp_path: Path) -> None:
    slow = records({"n2": (1.5, 1.5)})
    other = [
        msgspec.structs.replace(
            one, provenance=msgspec.structs.replace(one.provenance, host_id="xeon-2c-00000000")
        )
        for one in slow
    ]
    assert fleet([*records({"n1": (1.0, 1.0)}), *other], 0.02) == []
    with pytest.raises(UserError, match="no kind of machine has trials on two named nodes"):
        command.run([tmp_path], 2.0, Console(file=io.StringIO()))


def test_a_name_that_would_be_an_option_of_slurm_is_refused(tmp_path: Path) -> None:
    made = records({"n1": (1.0, 1.0), "n3": (1.0, 1.0), "n2\n#SBATCH --wrap=evil": (1.5, 1.5)})
    with pytest.raises(UserError, match="names no node"):
        command.slower(command.nodes_of([written(tmp_path, made)], 2.0, QUIET))
