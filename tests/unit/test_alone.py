"""One measurement at a time on a machine: a second waits, says for whom, and goes on when that has ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from framebench.executors import alone as alone_module
from framebench.executors.alone import alone
from framebench.records import store
from tests.unit.test_hang_up import RUN

ROOT = Path(__file__).resolve().parents[2]
HOLDER = """
import sys
from pathlib import Path
from framebench.executors.alone import alone
with alone(Path("/some/clone"), print, Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""
TRY = "import fcntl, sys; fcntl.flock(open(sys.argv[1]), fcntl.LOCK_EX | fcntl.LOCK_NB)"


def holder(place: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(place)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


def test_a_second_one_waits_and_says_for_whom(tmp_path: Path) -> None:
    place = tmp_path / "lock"
    first = holder(place)
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        first.stdin.close()  # type: ignore[union-attr]

    with alone(tmp_path, say, place):
        assert first.wait() == 0
    assert len(said) == 1 and f"process {first.pid}" in said[0] and "/some/clone" in said[0]


def test_who_holds_it_is_told_without_waiting(tmp_path: Path) -> None:
    place = tmp_path / "lock"
    assert alone_module.holder(place) is None
    first = holder(place)
    assert f"process {first.pid}" in (alone_module.holder(place) or "")
    first.communicate()
    assert alone_module.holder(place) is None


def test_a_killed_holder_holds_nothing(tmp_path: Path) -> None:
    place = tmp_path / "lock"
    first = holder(place)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    said: list[str] = []
    with alone(tmp_path, said.append, place):
        assert f"process {os.getpid()}" in place.read_text()
    assert said == []


def test_a_child_that_is_started_meanwhile_does_not_keep_it(tmp_path: Path) -> None:
    place = tmp_path / "lock"
    with alone(tmp_path, print, place):
        child = subprocess.Popen(["sleep", "60"])
    try:
        said: list[str] = []
        with alone(tmp_path, said.append, place):
            assert said == []
    finally:
        child.kill()
        child.wait()


def test_a_file_of_another_user_locks_all_the_same(tmp_path: Path) -> None:
    place = tmp_path / "lock"
    place.write_text("somebody else")
    place.chmod(0o444)
    with alone(tmp_path, print, place):
        assert holder_has_to_wait(place)


def holder_has_to_wait(place: Path) -> bool:
    done = subprocess.run([sys.executable, "-c", TRY, str(place)], capture_output=True, text=True)
    return "BlockingIOError" in done.stderr


def test_two_campaigns_at_once_measure_each_trial_once(tmp_path: Path) -> None:
    text = (ROOT / "suites" / "selftest" / "planted.toml").read_text()
    suite, results = tmp_path / "few.toml", tmp_path / "results"
    suite.write_text(text.replace("rounds = 10", "rounds = 2"))
    script = RUN.format(ignored=False, place=str(tmp_path / "lock"), suite=str(suite), results=str(results))
    command = [sys.executable, "-c", script]
    with alone(tmp_path, print, tmp_path / "lock"):  # so that both are there before either may begin
        both = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        for process in both:
            assert process.stdout is not None
            before = iter(process.stdout.readline, "")
            assert any(f"measuring already: process {os.getpid()}" in line for line in before)
    said = [process.communicate(timeout=900)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum("everything in this plan is done already" in text for text in said) == 1
    records = [record for _, record in store.load([results]).records]
    trials = [(record.contender.slug, record.round) for record in records]
    assert len(trials) == len(set(trials)) == 12
