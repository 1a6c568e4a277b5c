"""The gate lets every contender of every workload pass, and no planted fault; training stays finite."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pytest

from framebench.campaign import suites
from framebench.commands.prove import case_of, is_proven, plainest
from harness import frameworks, workloads
from harness.frameworks import exported
from harness.frameworks.exported import is_exported
from harness.frameworks.library import LibraryInfo, is_library
from harness.record import PHASES, Contender
from tests.requirement import require

pytestmark = pytest.mark.frameworks
ROOT = Path(__file__).parents[2]
TIMEOUT_S = 900.0

STACKS = {
    name: info
    for name, info in frameworks.stacks().items()
    if name != frameworks.SELF_TEST and not is_library(info)
}
CONTENDERS = [
    Contender(stack=name, mode=mode, variant=variant)
    for name, info in STACKS.items()
    for mode, variants in info.modes.items()
    for variant in variants
]
PLAINEST = [plainest(info) for info in STACKS.values() if not is_exported(info)]
EXPORTED = [one for one in CONTENDERS if is_exported(STACKS[one.stack])]
LIBRARIES = [info for info in frameworks.stacks().values() if isinstance(info, LibraryInfo)]
CASES = [
    (name, task, preset)
    for name in workloads.names()
    for preset in workloads.get(name).small
    for task in workloads.get(name).tasks
]
IN_SMOKE = {(row.workload, task) for row in suites.load(ROOT, "smoke").cases for task in row.tasks}
IN_BF16 = ("torch-eager", "jax-compiled")
SAMPLE = "mlp"  # the quickest; all workloads are `slow`
# Up to a minute and a half a cell: .ci/run asks two stacks here (the detector it runs in every stack's container), and
# `framebench prove` everybody.
HEAVY, OF_HEAVY = ("fasterrcnn", "resnet50", "input_pipeline"), ("torch-eager", "jax-compiled")
# TorchScript, which Keras on PyTorch exports by, holds what it saw: the length of an LSTM's sequence, the path that the
# traced values took. The file says that the length is open, and runs.
WRONG = [
    ("onnxruntime-keras-torch-compiled", "lstm", "smoke"),
    ("onnxruntime-keras-torch-compiled", "control_flow", "early_exit"),
    ("onnxruntime-keras-torch-compiled", "control_flow", "converge"),
    ("libtorch-compiled-torchscript", "control_flow", "early_exit"),
    ("libtorch-compiled-torchscript", "control_flow", "converge"),
]
FAULTS = {
    "learning rate 0.001 % off": ("train",),
    "targets or samples shifted by one": ("train", "infer"),
    "two steps, whatever is asked for": ("train", "infer"),
    "reset keeps the batch": ("train", "infer"),
    "rows of a kernel in another order": ("train", "infer"),
    "bf16 in disguise": ("train", "infer"),
}


class Started(NamedTuple):
    """Who is asked, and in which precision."""

    contender: Contender
    precision: str = "fp32"


def slow(contender: Contender) -> list[Any]:
    """``torch.compile`` takes a minute and more."""
    info = frameworks.info(contender.stack)
    by_inductor = "torch" in (info.framework, info.backend) and contender.mode == "compiled"
    return [pytest.mark.slow] if by_inductor else []


def parameters(
    contenders: list[Contender], precision: str = "fp32", marks: list[Any] | None = None
) -> list[Any]:
    return [
        pytest.param(Started(one, precision), id=f"{one.slug}-{precision}", marks=slow(one) + (marks or []))
        for one in contenders
    ]


class Process:
    """A contender in a process of its own, started with the first question."""

    def __init__(self, started: Started, folder: Path) -> None:
        self.contender, self.precision = started
        self.slug, self.stack = self.contender.slug, self.contender.stack
        info = frameworks.info(self.stack)
        absent = [name for name in info.modules if importlib.util.find_spec(name) is None]
        require("frameworks", not absent, f"not installed here: {', '.join(absent)}")
        command = [sys.executable, "-m", "tests.integration.gate_process"]
        command += [msgspec.json.encode(started.contender).decode(), started.precision, str(folder)]
        self.errors = (folder / "stderr").open("w+")
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )

    def ask(self, **question: Any) -> dict[str, Any]:
        """The answer; a contender that does not support it skips, one without a reference fails."""
        assert self.process.stdin is not None and self.process.stdout is not None
        too_late = threading.Timer(TIMEOUT_S, self.process.kill)
        too_late.start()
        try:
            self.process.stdin.write(json.dumps(question) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            too_late.cancel()
        if not line:
            self.errors.seek(0)
            pytest.fail(f"exit code {self.process.wait()}: {self.errors.read()[-3000:]}")
        answer: dict[str, Any] = json.loads(line)
        if "missing" in answer:
            pytest.fail(answer["missing"])
        if "unsupported" in answer:
            pytest.skip(answer["unsupported"])
        return answer

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self.errors.close()


@pytest.fixture(scope="module")
def process(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """One per contender and precision: pytest asks all the questions to one before it starts the next."""
    made = Process(request.param, tmp_path_factory.mktemp("gate"))
    yield made
    made.stop()


@pytest.mark.parametrize("stack", sorted(STACKS))
def test_a_compilers_refusals_are_exceptions_that_exist(stack: str) -> None:
    info = STACKS[stack]
    absent = [name for name in info.modules if importlib.util.find_spec(name) is None]
    require("frameworks", not absent, f"not installed here: {', '.join(absent)}")
    code = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]:\n"
        "    module, _, kind = name.rpartition('.')\n"
        "    found = getattr(importlib.import_module(module), kind)\n"
        "    assert issubclass(found, Exception)\n"
        "    assert f'{found.__module__}.{found.__qualname__}' == name, name\n"
    )
    assert info.refusals or is_exported(info)
    answer = subprocess.run(
        [sys.executable, "-c", code, *info.refusals], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr[-2000:]


BF16 = [one for one in CONTENDERS if one.slug in IN_BF16]


def passes(process: Process, workload: str, task: str, preset: str) -> None:
    answer = process.ask(gate=(workload, task, preset))
    assert answer["failed"] == []
    assert answer["untouched"], "the arrays that the driver was given have changed"
    computing = {"data", "logic", "precision"} if task != "load" else set()
    training = {"optimizer", "state"} if task == "train" else set()
    assert set(answer["parts"]) == {"shape"} | computing | training


@pytest.mark.parametrize("process", parameters(CONTENDERS), indirect=True, scope="module")
@pytest.mark.parametrize("task", workloads.get(SAMPLE).tasks)
def test_every_contender_does_the_specified_work(process: Process, task: str) -> None:
    passes(process, SAMPLE, task, "smoke")


def long(contender: Contender, workload: str, precision: str) -> bool:
    return workload in HEAVY and (contender.slug not in OF_HEAVY or precision != "fp32")


@pytest.mark.parametrize(
    ("process", "workload", "task", "preset"),
    [
        pytest.param(
            Started(contender, precision),
            *case,
            id="-".join((*case, contender.slug, precision)),
            marks=slow(contender) + ([pytest.mark.slow] if long(contender, case[0], precision) else []),
        )
        for precision, contenders in (("fp32", PLAINEST), ("bf16", BF16))
        for contender in contenders
        for case in CASES
        if case[1] not in PHASES
    ],
    indirect=["process"],
    scope="module",
)
def test_every_stack_does_the_work_of_every_workload(
    process: Process, workload: str, task: str, preset: str
) -> None:
    """`framebench prove` asks every contender, at the size that is published too, and what it has stored for this very
    work, gate and packages is not asked again."""
    case = case_of(workload, preset, task, process.precision)  # type: ignore[arg-type]
    if is_proven(ROOT, case, process.contender):
        pytest.skip("proven before, see proofs.json in the workload's folder")
    passes(process, workload, task, preset)


@pytest.mark.parametrize(
    ("process", "workload", "task", "preset"),
    [
        pytest.param(
            Started(contender, precision),
            *case,
            id="-".join((contender.slug, precision, *case)),
            marks=[]
            if (precision, (mode, contender.variant)) == ("fp32", info.plainest)
            else [pytest.mark.slow],
        )
        for info in LIBRARIES
        for mode, variants in info.modes.items()
        for contender in (Contender(stack=info.name, mode=mode, variant=variant) for variant in variants)
        for precision in ("fp32", "bf16")
        for case in CASES
        if workloads.has_file(case[0], info.framework) and case[1] in info.tasks
    ],
    indirect=["process"],
    scope="module",
)
def test_a_librarys_model_does_the_specified_work(
    process: Process, workload: str, task: str, preset: str
) -> None:
    passes(process, workload, task, preset)


@pytest.mark.slow
@pytest.mark.parametrize("process", parameters(EXPORTED), indirect=True, scope="module")
@pytest.mark.parametrize(
    ("workload", "task", "preset"),
    [one for one in CASES if one[:2] not in IN_SMOKE and one[0] != SAMPLE and one[1] not in PHASES],
)
def test_every_export_of_every_workload(process: Process, workload: str, task: str, preset: str) -> None:
    """What the smoke suite decodes is gated there, and so are phases with the whole."""
    if (process.slug, workload, preset) in WRONG:
        pytest.skip("its file computes something else, which a test of its own asks for")
    passes(process, workload, task, preset)


@pytest.mark.parametrize(
    ("process", "workload", "preset"),
    [
        pytest.param(Started(one), workload, preset, id=f"{slug}-{workload}-{preset}")
        for slug, workload, preset in WRONG
        for one in EXPORTED
        if one.slug == slug
    ],
    indirect=["process"],
    scope="module",
)
def test_an_export_that_computes_something_else_is_refused(
    process: Process, workload: str, preset: str
) -> None:
    failed = process.ask(gate=(workload, "infer", preset))["failed"]
    assert any(line.startswith("precision: outputs logits") for line in failed)


@pytest.mark.parametrize(
    "process",
    parameters(PLAINEST) + parameters(EXPORTED, marks=[pytest.mark.slow]),
    indirect=True,
    scope="module",
)
@pytest.mark.parametrize("task", workloads.get(SAMPLE).tasks)
def test_planted_faults_are_caught(process: Process, task: str) -> None:
    if refused := exported.refusal(STACKS[process.stack], task):  # type: ignore[arg-type]
        pytest.skip(refused)
    wanted = [name for name, tasks in FAULTS.items() if task in tasks]
    fates = process.ask(faults=(SAMPLE, task, "smoke"), only=wanted)
    assert sorted([*fates["caught"], *fates["unseen"]]) == sorted(wanted)
    assert fates["survived"] == []


@pytest.mark.parametrize("process", parameters(PLAINEST[:1]), indirect=True, scope="module")
@pytest.mark.parametrize("workload", [name for name, task, _ in CASES if task == "train"])
def test_training_learns_its_batches_and_stays_finite(process: Process, workload: str) -> None:
    losses = process.ask(train=workload, steps=500)["losses"]
    assert np.isfinite(losses).all()
    assert max(losses) < 2 * losses[0]
    assert np.mean(losses[-8:]) < 0.7 * losses[0]
