"""The ceiling trial, whole, with NumPy as the framework and small sizes."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest

from framebench.records.versions import decode_record
from harness import __main__ as harness
from harness import frameworks
from harness.frameworks.numpy.stack import NumpyStack
from harness.record import Canary, Case, Contender, Record, Settings, encode
from harness.trials import ceiling
from tests.unit.test_harness_trials import spec


class ReadBack(NumpyStack):
    """Reads back this precision, and remembers what was sent to the device."""

    def __init__(self, precision: dict[str, Any]) -> None:
        super().__init__(frameworks.info("numpy"))
        self.precision, self.sent = precision, 0

    def configure(self, case: Case, contender: Contender, seed: int) -> Settings:
        settings = super().configure(case, contender, seed)
        return msgspec.structs.replace(settings, precision=self.precision)

    def to_device(self, array: np.ndarray) -> Any:
        self.sent += array.nbytes
        return array


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Record]:
    """Run a ceiling trial with small products and copies; ``passed`` is what the canaries say."""
    monkeypatch.setattr(ceiling, "SIZE", {"cpu": 256, "gpu": 256})
    monkeypatch.setattr(ceiling, "COPY_BYTES", {"cpu": 1 << 20, "gpu": 1 << 20})
    monkeypatch.setattr(ceiling, "SECONDS", 0.05)

    def _run(stack: NumpyStack | None = None, device: str = "cpu", passed: bool = True) -> Record:
        monkeypatch.setattr(frameworks, "load", lambda name: stack or NumpyStack(frameworks.info("numpy")))
        answer = [Canary(name="sync", passed=passed, expected="", observed="")]
        monkeypatch.setattr("harness.canaries.check", lambda *_: answer)
        trial = spec("ceiling")
        case = msgspec.structs.replace(trial.case, device=device)
        return decode_record(encode(harness.run(msgspec.structs.replace(trial, case=case))))

    return _run


def test_the_record_holds_the_best_product_and_the_best_copy(run: Callable[..., Record]) -> None:
    record = run()
    assert record.outcome.status == "ok", record.outcome
    assert record.timing is None and record.workload_config_sha256 is None
    assert [phase.name for phase in record.phases] == ["import", "configure", "canaries", "matmul", "copy"]
    measured = record.ceiling
    assert measured is not None and measured.reasons == {}
    assert list(measured.matmul_flops_per_s) == ["fp32"]
    assert 1e6 < measured.matmul_flops_per_s["fp32"] < 1e15
    assert measured.copy_bytes_per_s is not None and 1e6 < measured.copy_bytes_per_s < 1e14
    assert [canary.name for canary in record.canaries] == ["sync"]


def test_the_best_repetition_counts_and_the_first_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ceiling, "SECONDS", 0.0)
    pauses = iter([0.0, 0.2, 0.02, 0.2])  # the first call is instant: it must not count
    clock = [0.0]

    def take_its_time() -> None:
        clock[0] += next(pauses)

    monkeypatch.setattr(ceiling, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    assert ceiling.least_seconds(take_its_time) == pytest.approx(0.02)
    assert next(pauses, None) is None


def test_a_gpu_says_why_other_precisions_are_missing(run: Callable[..., Record]) -> None:
    stack = ReadBack({"float32_matmul": "highest"})
    record = run(stack, device="gpu")
    assert record.ceiling is not None
    assert set(record.ceiling.matmul_flops_per_s) == {"fp32"}
    assert set(record.ceiling.reasons) == {"tf32", "bf16"}
    assert stack.sent == 1 << 20
    assert record.ceiling.copy_bytes_per_s is not None


def test_the_precision_that_ran_names_the_figure(run: Callable[..., Record]) -> None:
    record = run(ReadBack({"float32_matmul": "high"}), device="gpu")
    assert record.ceiling is not None
    assert set(record.ceiling.matmul_flops_per_s) == {"tf32"}
    assert set(record.ceiling.reasons) == {"bf16"}


def test_an_unknown_precision_gives_no_figure_but_a_reason(run: Callable[..., Record]) -> None:
    record = run(ReadBack({}), device="gpu")
    assert record.outcome.status == "ok"
    assert record.ceiling is not None and record.ceiling.matmul_flops_per_s == {}
    assert record.ceiling.reasons["fp32"] == "the stack reads back no precision"


def test_a_failed_canary_leaves_no_ceiling(run: Callable[..., Record]) -> None:
    record = run(passed=False)
    assert (record.outcome.status, record.outcome.reason) == ("invalid", "canary failed: sync")
    assert record.ceiling is None
