"""The fixed kernel: on one thread only, its drift signed, and a machine that changed is flagged."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from harness import calibration, flags, thread_pools
from harness.calibration import Kernel
from tests.unit.test_harness_trials import run, spec  # noqa: F401  (a fixture)


@pytest.mark.parametrize(
    ("before", "after", "drift"),
    [
        (Kernel(1000, 2000), Kernel(1000, 2000), 0.0),
        (Kernel(1000, 2000), Kernel(1010, 2100), 0.05),
        (Kernel(1000, 2000), Kernel(900, 2100), -0.10),
    ],
)
def test_drift_is_the_larger_change_with_its_sign(before: Kernel, after: Kernel, drift: float) -> None:
    found = calibration.compare(before, after)
    assert found.drift == pytest.approx(drift)
    assert (found.matmul_before_ns, found.copy_after_ns) == (before.matmul_ns, after.copy_ns)


@pytest.mark.parametrize(("after", "expected"), [(1029, []), (1031, [flags.DRIFTED]), (969, [flags.DRIFTED])])
def test_more_than_three_percent_is_flagged(after: int, expected: list[str]) -> None:
    assert flags.drift(calibration.compare(Kernel(1000, 1000), Kernel(1000, after))) == expected
    assert flags.drift(None) == []


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="OpenBLAS makes no pool on one CPU")
def test_only_the_calling_thread_works() -> None:
    """A pool that it woke, NumPy's BLAS or another, would disturb what is measured next."""
    code = (
        "import json, threading, time\n"
        "from harness import calibration\n"
        "from harness.telemetry.proc import task_times\n"
        "time.sleep(0.5)\n"  # a new pool spins for a moment before it sleeps
        "before = task_times('self')\n"
        "calibration.kernel(100.0)\n"
        "after = task_times('self')\n"
        "mine = str(threading.get_native_id())\n"
        "others = [now[0] - before[task][0] for task, now in after.items() if task in before and task != mine]\n"
        "print(json.dumps([others, sorted(set(after) - set(before))]))"
    )
    variables = os.environ | {"OPENBLAS_NUM_THREADS": "4"}
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=variables
    )
    others, new = json.loads(answer.stdout)
    assert new == []
    assert len(others) >= 1 or "openblas" not in thread_pools.read_back()  # the pool is there ...
    assert sum(others) == 0  # ... and slept


def test_trial_records_it_only_when_asked(run: Any) -> None:  # noqa: F811
    assert run(spec()).calibration is None
    found = run(spec(calibration_ms=20.0)).calibration
    assert found is not None
    assert min(found.matmul_before_ns, found.copy_before_ns, found.matmul_after_ns, found.copy_after_ns) > 0


def test_a_trial_on_a_machine_that_changed_is_flagged(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    readings = iter([Kernel(1000, 1000), Kernel(1000, 1200)])
    monkeypatch.setattr(calibration, "kernel", lambda milliseconds: next(readings))
    record = run(spec(calibration_ms=20.0))
    assert record.outcome.status == "ok", record.outcome
    assert record.calibration is not None and record.calibration.drift == pytest.approx(0.2)
    assert flags.DRIFTED in record.flags
