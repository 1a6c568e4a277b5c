"""Telemetry against the real /proc, a real child process, and children that die or hang."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import psutil
import pytest

from harness.telemetry import proc
from harness.telemetry.cpu import CpuSource
from harness.telemetry.devices import has_nvml_library
from harness.telemetry.recorder import DIED, Telemetry
from harness.telemetry.sampler import settle
from harness.telemetry.source import Capability
from harness.telemetry.window import MIN_SAMPLES, Window


def spin(seconds: float) -> None:
    """Use the CPU for this much of *CPU* time, so that a busy host cannot starve the test."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def child_of(telemetry: Telemetry) -> subprocess.Popen[bytes]:
    telemetry.start()
    assert telemetry.process is not None
    return telemetry.process


def between_edges(window: Window) -> float:
    """Seconds in which the sampler, whose ticks begin before the window, may have had ticks."""
    begin, end = (edge["t"] for edge in window.edges)
    return float(end - begin) / 1e9


def test_window_holds_counters_and_samples() -> None:
    with Telemetry(hz=50.0) as telemetry:
        child = child_of(telemetry)
        opened = time.monotonic_ns()
        with telemetry.window():
            entered = time.monotonic_ns()
            spin(0.5)
            left = time.monotonic_ns()
        closed = time.monotonic_ns()
        record = telemetry.record()
    assert child.returncode is not None  # reaped
    assert record.reason is None
    assert left - entered <= record.window_ns <= closed - opened
    assert record.metrics["cpu_time"].delta == pytest.approx(0.5e9, abs=0.15e9)
    assert record.metrics["on_cpu"].delta == pytest.approx(0.5e9, abs=0.15e9)
    assert record.metrics["run_queue_wait"].delta is not None
    rss = record.metrics["rss"]
    assert rss.samples == record.ticks >= MIN_SAMPLES
    assert rss.minimum is not None and rss.mean is not None and rss.maximum is not None
    assert 1 << 20 < rss.minimum <= rss.mean <= rss.maximum


def test_samples_outside_the_window_are_left_out() -> None:
    with Telemetry(hz=50.0) as telemetry:
        with telemetry.window() as window:
            time.sleep(0.3)
        time.sleep(0.3)
        assert all(window.start_ns <= before <= after <= window.end_ns for before, after, _ in window.samples)
        assert 0 < telemetry.record().ticks <= between_edges(window) * 50


def test_missed_ticks_are_counted_not_made_up_for() -> None:
    with Telemetry(hz=100.0) as telemetry:
        child = child_of(telemetry)
        with telemetry.window() as window:
            time.sleep(0.1)
            child.send_signal(19)  # SIGSTOP
            time.sleep(0.5)
            child.send_signal(18)  # SIGCONT
            time.sleep(0.2)
        record = telemetry.record()
        assert record.missed_ticks >= 40
        assert record.ticks + record.missed_ticks <= between_edges(window) * 100


def test_metric_without_enough_samples_has_no_mean() -> None:
    with Telemetry(hz=1.0) as telemetry:
        with telemetry.window():
            pass
        rss = telemetry.record().metrics["rss"]
    assert rss.mean is None
    assert rss.reason is not None and "needs 8" in rss.reason


def test_series_is_at_most_240_points() -> None:
    telemetry = Telemetry(hz=10.0)
    window = Window(start_ns=0, end_ns=1000)
    window.keep([(i, i, [{"rss": float(i)}]) for i in range(1000)])
    telemetry.windows["blocks"] = window
    series = telemetry.series()
    assert series is not None
    assert len(series["t_ns"]) == len(series["metrics"]["rss"]) == 200


def test_a_cpu_trial_watches_no_gpu_and_says_why() -> None:
    with Telemetry(hz=10.0) as telemetry:
        with telemetry.window():
            pass
        record = telemetry.record()
    assert record.gpus == []
    assert record.gpu_reason == ("the case runs on the CPU" if has_nvml_library() else "no NVIDIA library")


def test_edges_only_needs_no_ticks() -> None:
    with Telemetry(hz=0.0) as telemetry:
        with telemetry.window():
            spin(0.1)
        record = telemetry.record()
    assert record.ticks == record.missed_ticks == 0
    assert record.metrics["cpu_time"].delta is not None
    assert record.metrics["rss"].mean is None


def test_windows_are_apart_and_the_record_is_about_the_blocks() -> None:
    with Telemetry(hz=50.0) as telemetry:
        with telemetry.window("rest before"):
            time.sleep(0.2)
        with telemetry.window() as blocks:
            spin(0.3)
        record = telemetry.record()
    assert set(telemetry.windows) == {"rest before", "blocks"}
    assert record.window_ns == blocks.end_ns - blocks.start_ns > 0
    assert telemetry.windows["rest before"].end_ns <= blocks.start_ns
    assert record.sampler_cpu_ns is not None and 0 < record.sampler_cpu_ns < record.window_ns


def test_the_sampler_gets_the_cpus_back_that_the_workload_gave_up() -> None:
    allowed = os.sched_getaffinity(0)
    if len(allowed) < 2:
        pytest.skip("needs two CPUs")
    try:
        with Telemetry(hz=10.0) as telemetry:
            os.sched_setaffinity(0, {min(allowed)})
            child = child_of(telemetry)
            found = os.sched_getaffinity(child.pid)
            assert os.getpriority(os.PRIO_PROCESS, child.pid) >= 5
    finally:
        os.sched_setaffinity(0, allowed)
    assert found == (allowed if len(allowed) < 4 else {max(allowed)})


@pytest.mark.parametrize(
    ("allowed", "workload", "expected"),
    [
        ({0, 1}, {0}, {0, 1}),  # too few to spare one
        ({0, 1, 2, 3}, {0, 1}, {3}),
        ({4, 5, 6, 7}, {4, 5, 6, 7}, {4, 5, 6, 7}),
        ({2, 5, 8, 11}, {8, 11}, {5}),
    ],
)
def test_where_the_sampler_settles(
    monkeypatch: pytest.MonkeyPatch, allowed: set[int], workload: set[int], expected: set[int]
) -> None:
    chosen = []
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: workload)
    monkeypatch.setattr(os, "sched_setaffinity", lambda pid, cpus: chosen.append(cpus))
    settle(allowed)
    assert chosen == [expected]


def test_dead_sampler_is_reaped_and_named() -> None:
    with Telemetry(hz=10.0) as telemetry:
        child = child_of(telemetry)
        with telemetry.window():
            child.kill()
            child.wait()
        assert telemetry.record().reason == DIED
        assert telemetry.record().metrics["rss"].support == "failed"
    assert child.returncode is not None


def test_sampler_that_never_answers_does_not_stop_the_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.telemetry.recorder._START_S", 0.2)
    # A killed process that waits for the disk, as one that has just started may, ends when the disk answers.
    monkeypatch.setattr("harness.telemetry.recorder._KILLED_S", 60.0)
    others = set(psutil.Process().children())
    command = [sys.executable, "-c", "import time; time.sleep(120)"]
    with Telemetry(hz=10.0, command=command) as telemetry, telemetry.window():
        pass
    assert telemetry.record().reason == DIED
    assert telemetry.record().metrics == {}
    assert set(psutil.Process().children()) <= others  # ended and reaped


def test_sampler_that_cannot_start_is_named() -> None:
    with Telemetry(hz=10.0, command=["/nonexistent/sampler"]) as telemetry, telemetry.window():
        pass
    assert telemetry.record().reason == "sampler did not start: No such file or directory"


def test_sampler_ends_with_its_parent() -> None:
    """A killed parent closes the pipe: the child must not stay."""
    code = (
        "import os, signal\n"
        "from harness.telemetry.recorder import Telemetry\n"
        "with Telemetry(10.0) as telemetry:\n"
        "    with telemetry.window():\n"
        "        print(telemetry.process.pid, flush=True)\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    parent = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    child = int(parent.stdout)
    for _ in range(1200):
        state = (proc.read(f"/proc/{child}/stat") or ") Z").rpartition(")")[2].split()[0]
        if state == "Z":
            return
        time.sleep(0.05)
    pytest.fail(f"sampler {child} outlived its parent")


def test_sampler_imports_no_framework() -> None:
    code = (
        "import harness.telemetry.sampler, sys; "
        "print(sorted({'numpy', 'msgspec', 'torch', 'tensorflow', 'keras', 'jax'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_missing_files_are_not_supported(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel without PSI and schedstat: those metrics are refused once, the others go on."""
    real = proc.read
    monkeypatch.setattr(
        proc,
        "read",
        lambda path: None if str(path).endswith(("schedstat", "pressure/cpu")) else real(path),
    )
    source = CpuSource(os.getpid())
    found = source.probe()
    for name in ("psi_cpu_some", "run_queue_wait", "on_cpu"):
        assert found[name].support == "not supported"
    assert found["rss"] == Capability("gauge", "B")
    assert {"rss", "cpu_time"} <= set(source.edge())
    assert not {"psi_cpu_some", "run_queue_wait"} & set(source.edge())


def test_ended_threads_never_make_a_counter_shrink(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([{"1": (100, 10), "2": (50, 5)}, {"1": (150, 20)}, {"1": (160, 25), "3": (7, 1)}])
    monkeypatch.setattr(proc, "task_times", lambda pid: next(answers))
    source = CpuSource(os.getpid())
    source.probe()
    before = (source.on_cpu_ns, source.waiting_ns)
    source.edge()
    source.edge()
    assert (source.on_cpu_ns - before[0], source.waiting_ns - before[1]) == (67, 16)
