"""The process that is asked for proofs, with a program that misbehaves in place of a framework's Python."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from framebench.executors.proving_process import ProvingProcess, cores
from harness.record import Contender

ROOT = Path(__file__).parents[2]
TORCH = Contender(stack="torch", mode="eager", variant="")


@pytest.fixture
def program(tmp_path: Path) -> Path:
    return tmp_path / "python"


def process(program: Path, script: str) -> ProvingProcess:
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return ProvingProcess(program.parent, program, TORCH, "fp32", cores()[0])


def test_an_answer_that_is_cut_short_is_none(program: Path) -> None:
    words = process(program, """read question; printf '{"parts": {"logic"'""").ask({}, 60.0)["died"]
    assert words.startswith("exit code 0 (all of it: ")


def test_a_signal_is_named_and_the_words_of_every_end_stay_in_the_file(program: Path) -> None:
    asked = process(program, "read question; echo a warning of $question >&2; kill -9 $$")
    for number in (1, 2):
        words = asked.ask({"number": number}, 60.0)["died"]
        assert words.startswith("killed by SIGKILL (all of it: ")
    log = Path(words.rpartition(": ")[2].rstrip(")"))
    assert [line.split()[-1] for line in log.read_text().splitlines()] == ["1}", "2}"]


def started(folder: Path) -> psutil.Process:
    """What a program has started that has written its number."""
    note = folder / "pid"
    while not (note.exists() and note.read_text().strip()):
        time.sleep(0.01)
    return psutil.Process(int(note.read_text()))


STARTS_ANOTHER = "setsid sleep 600 & echo $! >{folder}/pid; wait"


def gone(process: psutil.Process) -> bool:
    try:
        process.wait(30)
    except psutil.TimeoutExpired:
        return False
    return True


def test_what_takes_too_long_ends_with_all_that_it_started(
    program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class OnceItHasStarted(threading.Timer):
        def run(self) -> None:
            started(program.parent)
            super().run()

    monkeypatch.setattr(threading, "Timer", OnceItHasStarted)
    asked = process(program, STARTS_ANOTHER.format(folder=program.parent))
    assert asked.ask({}, 2.0) == {"died": "no answer within 2 s"}
    assert not psutil.pid_exists(int((program.parent / "pid").read_text()))


def test_what_is_stopped_answers_nothing_more(program: Path) -> None:
    asked = process(program, "while read question; do echo '{}'; done")
    assert asked.ask({}, 60.0) == {}
    asked.stop()
    assert asked.ask({}, 60.0) == {"died": "stopped"}
    asked.stop()


def test_it_does_not_outlive_a_command_that_is_killed(program: Path) -> None:
    process(program, STARTS_ANOTHER.format(folder=program.parent))  # writes the program
    code = f"""
from pathlib import Path
from framebench.executors.proving_process import ProvingProcess, cores
from harness.record import Contender
contender = Contender(stack="torch", mode="eager", variant="")
program = Path({str(program)!r})
ProvingProcess(program.parent, program, contender, "fp32", cores()[0]).ask({{}}, 600.0)
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-c", code], env=environment) as command:
        child = started(program.parent)
        command.send_signal(signal.SIGKILL)
    assert gone(child)
