"""Devices share a step for real: whole trials of the suite's cases on two shares of two cores, in fresh processes.

Faults are planted in a copy of the harness, and the gate has to find each.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from framebench.campaign import suites
from framebench.records.versions import decode_record, encode_spec
from harness import cores, frameworks
from harness.record import Case, Contender, Record
from tests.integration.test_gate_frameworks import slow
from tests.requirement import require
from tests.unit.test_harness_trials import spec

pytestmark = pytest.mark.frameworks

ROOT = Path(__file__).resolve().parents[2]
SUITE = suites.load(ROOT, "scaling")
PAIRS = [
    (case, contender)
    for case in SUITE.expand(2)
    if case.device_count > 1
    for contender in SUITE.entrants()
    if SUITE.admits(case, contender)
]
SHARED = {  # of the suite's: on a CPU PyTorch and TensorFlow have no BatchNorm over several devices
    *((stack, "gpt") for stack in ("torch", "tensorflow", "jax", "keras-jax")),
    *((stack, "resnet50") for stack in ("jax", "keras-jax")),
}
TORCH, JAX = Contender(stack="torch", mode="eager"), Contender(stack="jax", mode="compiled")


def case_of(workload: str) -> Case:
    return next(case for case, _ in PAIRS if case.workload == workload)


def run(kind: str, case: Case, contender: Contender, cache: Path, harness: Path = ROOT) -> Record:
    modules = frameworks.info(contender.stack).modules
    absent = [name for name in modules if importlib.util.find_spec(name) is None]
    require("frameworks", not absent, f"not installed here: {', '.join(absent)}")
    require("frameworks", cores.cores_allowed() >= 2, "two devices need two cores")
    trial = msgspec.structs.replace(spec(kind), case=case, contender=contender, cache_dir=str(cache))
    process = subprocess.Popen(
        [sys.executable, "-m", "harness"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=harness,
        env=os.environ | {"PYTHONPATH": str(harness)},
        start_new_session=True,
    )
    answer, _ = process.communicate(encode_spec(trial), timeout=900)
    assert [pid for pid in psutil.pids() if session(pid) == process.pid] == [], "a trial leaves nobody"
    return decode_record(answer)


def session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def parameters() -> Iterator[Any]:
    """A stack's second contender that shares a step, and what takes a minute to compile, are left to the long run."""
    seen: set[tuple[str, str]] = set()
    for case, contender in PAIRS:
        pair = (contender.stack, case.workload)
        again = pair in SHARED and pair in seen
        seen.add(pair)
        marks = [pytest.mark.slow] if again or pair == ("keras-jax", "resnet50") else slow(contender)
        yield pytest.param(case, contender, id=f"{case.workload}-{contender.slug}", marks=marks)


@pytest.mark.parametrize(("case", "contender"), [*parameters()])
def test_two_devices_do_the_work_of_one(case: Case, contender: Contender, cache: Path) -> None:
    record = run("parity", case, contender, cache)
    if (contender.stack, case.workload) not in SHARED:
        assert record.outcome.status == "unsupported" and record.outcome.reason
        return
    assert record.outcome.status == "ok", record.outcome
    assert record.parity is not None and record.parity.passed
    *before, last = record.parity.parts
    assert {part.name for part in before} >= {"data", "logic", "precision", "optimizer", "state", "shape"}
    assert last.worst is not None and last.worst.what == "devices apart" and last.worst.value == 0.0


@pytest.mark.parametrize("contender", [TORCH, JAX], ids=lambda one: one.slug)
def test_a_timed_trial_says_who_shared(contender: Contender, cache: Path) -> None:
    record = run("timing", case_of("gpt"), contender, cache)
    assert record.outcome.status == "ok", record.outcome
    assert record.settings is not None and record.timing is not None and record.telemetry is not None
    assert record.settings.device is not None and "and 1 more, by " in record.settings.device
    processes = record.settings.threads["processes"]
    assert processes == (2 if contender == TORCH else 1)
    assert record.timing.units_per_step == 4 * 64  # of the whole batch
    assert all(canary.passed for canary in record.canaries), record.canaries
    assert record.hardware is not None and record.hardware.cores_allowed == 2
    assert record.telemetry.metrics["cpu_time"].delta is not None  # of all processes


LIES = {
    "gradients are not averaged": (
        "gpt",
        "frameworks/torch/replicated.py",
        "DistributedDataParallel(_Loss(self.model, self.forward_loss))",
        "_Loss(self.model, self.forward_loss)",
    ),
    "each device computes the first part": (
        "gpt",
        "data_parallel.py",
        "array[:, rank * own : (rank + 1) * own]",
        "array[:, :own]",
    ),
    "one device holds other weights": (
        "gpt",
        "replicas.py",
        "self._output = self._driver.run(n)",
        "self._output = self._driver.run(n); self._driver.tensors['ln_final.beta'].data[0] += 1e-7",
    ),
}


def planted(folder: Path, *changes: tuple[str, str, str]) -> Path:
    shutil.copytree(ROOT / "harness", folder / "harness", ignore=shutil.ignore_patterns("__pycache__"))
    for name, old, new in changes:
        path = folder / "harness" / name
        text = path.read_text()
        assert text.count(old) == 1, (name, old)
        path.write_text(text.replace(old, new))
    return folder


@pytest.mark.parametrize("lie", LIES)
def test_a_planted_fault_is_found(lie: str, cache: Path, tmp_path: Path) -> None:
    workload, name, old, new = LIES[lie]
    record = run("parity", case_of(workload), TORCH, cache, planted(tmp_path, (name, old, new)))
    assert record.outcome.status == "not_comparable", record.outcome


def test_statistics_of_a_device_s_part_are_not_those_of_the_batch(cache: Path, tmp_path: Path) -> None:
    """PyTorch's plain BatchNorm in DistributedDataParallel: what runs unless somebody asks for more."""
    harness = planted(
        tmp_path,
        (
            "frameworks/torch/data_parallel.py",
            'if case.device == "cpu" and data_parallel.averages_over_batch(case):',
            "if False:",
        ),
        (
            "frameworks/torch/replicated.py",
            "nn.SyncBatchNorm.convert_sync_batchnorm(self.file.model(preset))",
            "self.file.model(preset)",
        ),
    )
    record = run("parity", case_of("resnet50"), TORCH, cache, harness)
    assert record.outcome.status == "not_comparable", record.outcome
    assert record.parity is not None
    assert any("gradients" in one.what or "updates" in one.what for one in record.parity.diffs)


def test_a_device_whose_process_dies_is_a_crash_with_its_words(cache: Path, tmp_path: Path) -> None:
    harness = planted(
        tmp_path,
        ("replicas.py", "self._driver.feed(batches)", "os._exit(3)"),
        ("replicas.py", "self._driver.reset(tensors)", "os._exit(3)"),
    )
    record = run("parity", case_of("gpt"), TORCH, cache, harness)
    assert record.outcome.status == "crashed"
    assert "the process of device 1: it ended with exit code 3" in (record.outcome.reason or "")
