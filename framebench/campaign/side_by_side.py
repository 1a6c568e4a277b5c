"""What is not timed runs as many trials at a time as cores allow: gates, and memory where each process has its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from framebench.campaign.plan import Planned
from framebench.executors.machine import Machine
from harness.record import UNTIMED, Case, TrialKind

Left = TypeVar("Left")
BYTES_EACH = 3 << 30  # what one trial of the CPU suites needs at most, its framework included


def at_a_time(kind: TrialKind, case: Case, machine: Machine) -> int:
    """How many such trials run beside each other; on a GPU one, as they would share its memory."""
    if kind not in UNTIMED or case.device != "cpu":
        return 1
    return max(1, min(machine.cores_allowed, machine.memory_bytes // BYTES_EACH))


def run(
    trials: Sequence[Planned], count: int, start: Callable[[Planned], Left | None]
) -> Iterator[tuple[Planned, Left]]:
    """Each trial once with what ``start`` says that it left, ``count`` at a time, in the order in which they end.

    ``start`` gives null for one not to run.
    """
    waiting = list(trials)
    running: dict[Future[Left | None], Planned] = {}
    with ThreadPoolExecutor(count) as pool:
        while waiting or running:
            while waiting and len(running) < count:
                trial = waiting.pop(0)
                running[pool.submit(start, trial)] = trial
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                trial = running.pop(future)
                if (left := future.result()) is not None:
                    yield trial, left
