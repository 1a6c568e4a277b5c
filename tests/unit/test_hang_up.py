"""A terminal that closes in mid-trial: the trial ends at once, and what was finished is on disk."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from framebench.records import store

ROOT = Path(__file__).resolve().parents[2]
SLOW = """
name = "slow"
title = "One long trial of NumPy"
rounds = 1
verdicts = false
timeout_s = 300
baseline = "numpy-eager"
kinds = ["timing"]
contenders = ["numpy-eager"]

[protocol]
name = "slow"
warmup_min_s = 60.0
warmup_max_s = 90.0

[[case]]
workload = "planted"
preset = "selftest"
tasks = ["infer"]
batch = 1
"""
RUN = """
import signal, sys
from pathlib import Path
from framebench import cli
from framebench.executors import alone
signal.signal(signal.SIGHUP, signal.SIG_IGN if {ignored} else signal.SIG_DFL)  # the tests may run below nohup
alone.PLACE = Path({place!r})  # other measurements of this machine are no part of the test
sys.argv = ["framebench", "run", "--executor", "system", "--suite", {suite!r}, "--results", {results!r}]
cli.main()
"""


def started(folder: Path, terminal: int, ignored: bool = False) -> subprocess.Popen[bytes]:
    """The run, in its trial."""
    suite, results = folder / "slow.toml", folder / "results"
    suite.write_text(SLOW)
    script = RUN.format(ignored=ignored, place=str(folder / "lock"), suite=str(suite), results=str(results))
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=ROOT,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    )
    while not trial_of(process):
        assert process.poll() is None
        time.sleep(0.1)
    return process


def trial_of(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    found = []
    for child in psutil.Process(process.pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it may end while it is looked at
            line = child.cmdline()
            if line[-2:] == ["-m", "harness"] and "supervise.py" not in " ".join(line):
                found.append(child)
    return found


@contextlib.contextmanager
def reader(terminal: int) -> Iterator[None]:
    """Somebody who reads what is shown, as a terminal does; without one its few kilobytes fill up."""
    closing = threading.Event()

    def read() -> None:
        while not closing.is_set():
            if select.select([terminal], [], [], 0.1)[0]:
                os.read(terminal, 1 << 16)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield
    finally:
        closing.set()
        thread.join()


def test_a_terminal_that_closes_ends_the_trial(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    with reader(ours):
        process = started(tmp_path, theirs)
    os.close(theirs)
    (trial,) = trial_of(process)
    os.close(ours)  # the terminal is gone: to write to it is an error from here on
    process.send_signal(signal.SIGHUP)
    assert process.wait(timeout=60) == 130
    assert not trial.is_running()
    ((_, record),) = store.load([tmp_path / "results"]).records
    assert record.outcome.status == "interrupted"


def test_nohup_is_heeded(tmp_path: Path) -> None:
    with (tmp_path / "nohup.out").open("wb") as output:
        process = started(tmp_path, output.fileno(), ignored=True)
    try:
        process.send_signal(signal.SIGHUP)
        time.sleep(1)
        assert process.poll() is None and trial_of(process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 130
    finally:
        process.kill()


ANY_COMMAND = """
import signal, sys, time
from framebench.commands.stop_signals import end_in_order
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may run below nohup
end_in_order()
try:
    print("begun", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    sys.exit(130)
finally:
    print("the container is removed", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_every_command_clears_up_behind_itself(number: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", ANY_COMMAND], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "begun\n"
    process.send_signal(number)
    assert process.communicate(timeout=60)[0] == "the container is removed\n"
    assert process.returncode == 130
