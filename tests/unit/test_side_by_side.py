"""What is not timed runs beside itself; what is timed never does."""

from __future__ import annotations

import threading

import pytest

from framebench.campaign import side_by_side
from framebench.campaign.plan import Planned
from framebench.executors.machine import Machine
from framebench.executors.stopping import StopRequest
from harness.record import Case, Contender, Record
from tests.record_factory import make_record

CASE = Case(workload="mlp", preset="smoke", task="train", batch=32, cores=2)
MACHINE = Machine(cpu_model="x", cores=4, cores_allowed=4, memory_bytes=64 << 30, architecture="x86_64")


def trials(count: int) -> list[Planned]:
    return [
        Planned("parity", CASE, Contender(stack=f"s{number}", mode="eager"), 0) for number in range(count)
    ]


@pytest.mark.parametrize("kind", ["timing", "ceiling", "cold-start"])
def test_what_has_a_clock_runs_alone(kind: str) -> None:
    assert side_by_side.at_a_time(kind, CASE, MACHINE) == 1  # type: ignore[arg-type]


def test_gates_and_memory_run_as_many_at_a_time_as_cores_and_memory_allow() -> None:
    assert (
        side_by_side.at_a_time("parity", CASE, MACHINE)
        == side_by_side.at_a_time("memory", CASE, MACHINE)
        == 4
    )
    small = MACHINE._replace(memory_bytes=7 << 30)
    assert side_by_side.at_a_time("parity", CASE, small) == 2
    assert side_by_side.at_a_time("parity", CASE, MACHINE._replace(memory_bytes=1 << 30)) == 1


def test_each_runs_once_and_never_more_than_so_many_at_a_time() -> None:
    running, most, lock = 0, 0, threading.Lock()
    together = threading.Barrier(3, timeout=60)

    def start(trial: Planned) -> Record:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        if trial in planned[:6]:
            together.wait()
        with lock:
            running -= 1
        return make_record()

    planned = trials(7)
    ended = [trial for trial, _record in side_by_side.run(planned, 3, start)]
    assert sorted(ended, key=planned.index) == planned
    assert most == 3


def test_one_that_must_not_run_gives_nothing() -> None:
    planned = trials(4)
    ended = [
        trial
        for trial, _ in side_by_side.run(planned, 2, lambda one: None if one is planned[1] else make_record())
    ]
    assert set(ended) == {planned[0], planned[2], planned[3]}


def test_a_request_to_stop_reaches_every_trial_that_runs_and_no_later_one() -> None:
    request = StopRequest()
    with request.heeded(), request.heeded():
        request.make()
        assert request.take() and request.take() and not request.take()
    request.make()
    assert request.take() and not request.take()
