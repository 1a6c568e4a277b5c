"""The gate lets every contender of both workloads pass, and none of the deliberate faults."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from harness.record import Contender
from tests.integration.parity_matrix import contenders
from tests.requirement import require

pytestmark = pytest.mark.frameworks
ROOT = Path(__file__).parents[2]
MODULES = {
    "torch": ["torch"],
    "tensorflow": ["tensorflow"],
    "keras-tensorflow": ["keras", "tensorflow"],
    "keras-torch": ["keras", "torch"],
    "keras-jax": ["keras", "jax"],
}
# Compiling takes these a minute or more
SLOW = ("torch-compiled", "keras-torch-compiled-loop", "keras-torch-compiled-direct")


def run(stack: str, module: str, *arguments: str) -> list[dict[str, Any]]:
    """A fresh process per stack: frameworks are configured once per process."""
    missing = [name for name in MODULES[stack] if importlib.util.find_spec(name) is None]
    require("frameworks", not missing, f"{', '.join(missing)} is not installed")
    process = subprocess.run(
        [sys.executable, "-m", f"tests.integration.{module}", stack, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert process.returncode == 0, process.stderr[-3000:]
    return [json.loads(line) for line in process.stdout.splitlines()]


def all_contenders() -> list[Any]:
    return [
        pytest.param(contender, id=contender.slug, marks=[pytest.mark.slow] if contender.slug in SLOW else [])
        for contender in contenders()
    ]


@pytest.mark.parametrize("contender", all_contenders())
def test_every_contender_does_the_specified_work(contender: Contender, tmp_path: Path) -> None:
    answers = run(
        contender.stack, "parity_matrix", contender.mode, contender.variant or "-", "smoke", str(tmp_path)
    )
    assert {answer["case"] for answer in answers} == {
        f"{workload}/smoke/{task}" for workload in ("convstack", "mlp") for task in ("train", "infer")
    }
    for answer in answers:
        if "unsupported" in answer:
            pytest.skip(answer["unsupported"])
        failed = [diff for diff in answer["diffs"] if not diff["passed"]]
        assert answer["passed"] and not failed, (answer["case"], failed)


@cache
def faults(stack: str, mode: str, variant: str) -> dict[tuple[str, str], list[str]]:
    """``{(case, fault): kinds of diffs that failed}``."""
    answers = run(stack, "parity_faults", mode, variant)
    return {(answer["case"], answer["fault"]): answer["failed"] for answer in answers}


STACKS = [
    ("torch", "eager", "-"),
    ("keras-jax", "compiled", "direct"),
    ("keras-tensorflow", "compiled", "graph-loop"),
]


@pytest.mark.parametrize("stack", STACKS, ids=lambda stack: stack[0])
@pytest.mark.parametrize("workload", ["convstack", "mlp"])
class TestFaults:
    def test_the_right_implementation_passes(self, stack: tuple[str, str, str], workload: str) -> None:
        found = faults(*stack)
        assert found[f"{workload}/train", "right"] == found[f"{workload}/infer", "right"] == []

    def test_a_wrong_flatten_order_is_caught(self, stack: tuple[str, str, str], workload: str) -> None:
        found = faults(*stack)
        assert found[f"{workload}/train", "flatten"] == ["gradient", "loss", "update"]
        assert found[f"{workload}/infer", "flatten"] == ["logits"]

    def test_a_learning_rate_1_percent_off_is_caught(
        self, stack: tuple[str, str, str], workload: str
    ) -> None:
        assert faults(*stack)[f"{workload}/train", "learning rate"] == ["gradient", "update"]

    def test_a_sum_for_a_mean_is_caught(self, stack: tuple[str, str, str], workload: str) -> None:
        assert faults(*stack)[f"{workload}/train", "sum"] == ["gradient", "loss", "update"]
