"""The other processes of a trial whose devices have one each: started, told what to do, heard, and ended.

This process leads: it is rank 0, measures and writes the record. ``python -m harness.replicas DESCRIPTOR`` is one of
the others. Orders go through a pipe: the name of a method of ``Replica`` and its arguments. What a step exchanges goes
by the framework's own way.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection, Pipe
from typing import Any, Literal, NamedTuple

import numpy as np

from harness import data_parallel, frameworks, scratch, thread_pools, workloads
from harness.cores import pinned_to
from harness.frameworks import Stack
from harness.frameworks.exported import source_of
from harness.record import Case, Contender
from harness.workloads import Job

PATIENCE_S = 10.0  # with a process whose pipe has ended


class Place(NamedTuple):
    """What a process has to know before it imports the framework."""

    case: Case
    contender: Contender
    seed: int
    rank: int
    cores: list[int]
    meeting: str


class Described(NamedTuple):
    """A job without the modules it is made of."""

    preset: Any
    batch: int
    precision: Literal["fp64", "fp32", "tf32", "bf16"]
    weights: Mapping[str, np.ndarray]
    batches: Mapping[str, np.ndarray]


class _Other(NamedTuple):
    process: subprocess.Popen[bytes]
    pipe: Connection


_others: list[_Other] = []  # of the one trial that this process runs


def start(case: Case, contender: Contender, seed: int, processes: int) -> str:
    """Start all but the first of ``processes``, each on its share of this one's cores; this one keeps the first share.

    Returns the path of the file by which they find each other.
    """
    meeting = str(scratch.written("where processes meet", lambda folder: None) / "file")
    cores = pinned_to()
    share = len(cores) // processes
    for rank in range(1, processes):
        here, there = Pipe()
        process = subprocess.Popen(
            [sys.executable, "-m", "harness.replicas", str(there.fileno())],
            pass_fds=[there.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=2,  # the record alone goes to stdout
        )
        there.close()
        own = cores[rank * share : (rank + 1) * share]
        here.send(Place(case, contender, seed, rank, own, meeting))
        _others.append(_Other(process, here))
    os.sched_setaffinity(0, cores[:share])
    return meeting


@contextmanager
def ended() -> Iterator[None]:
    """At the end no other process is left, and this one has all of its cores again."""
    cores = pinned_to()
    try:
        yield
    finally:
        if _others:
            os.sched_setaffinity(0, cores)
        while _others:
            other = _others.pop()
            other.pipe.close()
            try:
                other.process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:  # in the middle of a step that nobody finishes
                other.process.kill()
                other.process.wait()


def pids() -> list[int]:
    """Process ids of the others."""
    return [other.process.pid for other in _others]


def tell(method: str, *arguments: Any) -> None:
    """Let all of the others do the same, and do not wait."""
    tell_each(method, [arguments] * len(_others))


def tell_each(method: str, arguments: Sequence[tuple[Any, ...]]) -> None:
    """The same with arguments for each, by rank."""
    for other, own in zip(_others, arguments, strict=True):
        with contextlib.suppress(OSError):  # it has ended: ``heard`` says how
            other.pipe.send((method, own))


def heard() -> list[Any]:
    """What each of them answers, by rank, once all have done what they were told. ``RuntimeError`` if one failed."""
    answers = []
    for rank, other in enumerate(_others, start=1):
        try:
            answer, failure = other.pipe.recv()
        except (EOFError, OSError):
            failure = f"it ended with exit code {other.process.wait(PATIENCE_S)}"
        if failure is not None:
            raise RuntimeError(f"the process of device {rank}: {failure}")
        answers.append(answer)
    return answers


def described(job: Job, rank: int) -> Described:
    """What device ``rank`` builds its model from."""
    batches = data_parallel.part(job, job.batches, rank)
    return Described(job.preset, job.batch, job.precision, job.weights, batches)


class Replica:
    """What one of the others can be told."""

    def __init__(self, place: Place, stack: Stack) -> None:
        self._place, self._stack = place, stack
        self._driver: Any = None
        self._output: Any = None

    def build(self, described: Described) -> None:
        case, contender = self._place.case, self._place.contender
        framework = source_of(frameworks.info(contender.stack)).framework
        job = Job(
            workload=workloads.get(case.workload),
            file=workloads.file(case.workload, framework),
            case=case,
            contender=contender,
            **described._asdict(),
        )
        self._driver = self._output = None  # the memory of the last one, before the next is made
        self._driver = data_parallel.replica(job, self._stack)

    def run(self, n: int) -> None:
        self._output = self._driver.run(n)
        self._stack.barrier(self._output)

    def outputs(self) -> dict[str, np.ndarray]:
        outputs: dict[str, np.ndarray] = self._driver.outputs(self._output)
        return outputs

    def feed(self, batches: Mapping[str, np.ndarray]) -> None:
        self._driver.feed(batches)

    def reset(self, tensors: Mapping[str, np.ndarray]) -> None:
        self._driver.reset(tensors)

    def tensors(self) -> dict[str, np.ndarray]:
        tensors: dict[str, np.ndarray] = self._driver.state().tensors
        return tensors


def main() -> None:
    """Take the place, then obey until the pipe ends."""
    pipe = Connection(int(sys.argv[1]))
    place: Place = pipe.recv()
    os.sched_setaffinity(0, place.cores)
    thread_pools.limit(len(place.cores))
    stack = frameworks.load(place.contender.stack)
    data_parallel.join(place.case, place.contender, place.rank, place.meeting)
    stack.configure(place.case, place.contender, place.seed)
    replica = Replica(place, stack)
    while True:
        try:
            method, arguments = pipe.recv()
        except EOFError:
            return
        try:
            answer = getattr(replica, method)(*arguments)
        except Exception as error:
            traceback.print_exc()
            pipe.send((None, f"{type(error).__name__}: {error}"))
        else:
            pipe.send((answer, None))


if __name__ == "__main__":
    main()
    os._exit(0)  # a framework that crashes while it is torn down changes nothing
