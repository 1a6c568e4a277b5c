"""Shards: a campaign split over machines alike, each case with all its contenders and rounds on one of them.

Who does what follows from the suite alone, so that every machine comes to the same split, whatever it has measured.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from framebench.campaign.estimate import Estimator
from framebench.campaign.suites import Suite
from framebench.errors import UserError
from harness.record import Case, Contender


class Shard(NamedTuple):
    """The part ``number`` of so many; counted from 1."""

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


class _Scheduler(NamedTuple):
    variable: str
    first: int
    how: str  # how its tasks are numbered as expected; {} is their number


SCHEDULERS = (
    _Scheduler("SLURM_ARRAY_TASK_ID", 1, "sbatch --array=1-{}"),
    _Scheduler("JOB_COMPLETION_INDEX", 0, "completions: {} of an Indexed Job"),
    _Scheduler("HQ_TASK_ID", 1, "hq submit --array 1-{}"),
    _Scheduler("PBS_ARRAY_INDEX", 1, "qsub -J 1-{}"),
    _Scheduler("BUILDKITE_PARALLEL_JOB", 0, "parallelism: {}"),
)
"""What numbers the tasks of a job on a cluster, and the number of its first task."""


def parse(text: str, environment: Mapping[str, str]) -> Shard:
    """``2/4``, or ``auto/4`` where a scheduler has numbered this task. ``UserError`` with the mend."""
    found = re.fullmatch(r"(auto|\d{1,6})/(\d{1,6})", text)
    if not found or int(found[2]) < 1:
        raise UserError(f"--shard {text}: write I/N, such as 1/4 for the first of four parts, or auto/N")
    count = int(found[2])
    if found[1] == "auto":
        return Shard(_numbered(text, count, environment), count)
    if not 1 <= int(found[1]) <= count:
        raise UserError(f"--shard {text}: the {count} parts are 1/{count} to {count}/{count}")
    return Shard(int(found[1]), count)


def _numbered(text: str, count: int, environment: Mapping[str, str]) -> int:
    """This task's number, counted from 1, as its scheduler says."""
    numbering = [one for one in SCHEDULERS if environment.get(one.variable)]
    if len(numbering) != 1:
        names = ", ".join(one.variable for one in numbering or SCHEDULERS)
        which = (
            f"these all number this task: {names}" if numbering else f"nothing numbers this task ({names})"
        )
        raise UserError(f"--shard {text}: {which}; write the number, such as 1/{count}")
    (scheduler,) = numbering
    value = environment[scheduler.variable]
    last = scheduler.first + count - 1
    if not re.fullmatch(r"\d{1,6}", value) or not scheduler.first <= int(value) <= last:
        raise UserError(
            f"--shard {text}: {scheduler.variable} is {value!r}, and the {count} parts are {scheduler.first} to "
            f"{last}: {scheduler.how.format(count)}"
        )
    return int(value) - scheduler.first + 1


def assumed_seconds(suite: Suite, case: Case, contenders: Sequence[Contender]) -> float:
    """How long all contenders and rounds of a case would take, as far as it is known before anything is measured."""
    entrants = [entrant for entrant in contenders if suite.admits(case, entrant)]
    if not entrants:
        return 0.0
    estimator, protocol = Estimator([]), suite.protocol_of(case)  # without records it is the same for all
    return len(entrants) * sum(
        estimator.seconds(kind, case, entrants[0], protocol) * (suite.rounds if kind == "timing" else 1)
        for kind in suite.kinds
    )


def split(
    suite: Suite, cases: Sequence[Case], contenders: Sequence[Contender], count: int
) -> list[list[Case]]:
    """The cases of each shard, in the suite's order: the longest first, each to the shard with the least so far.

    How long a case takes is estimated from its FLOPs and the protocol, never from records: those of another machine,
    or of a shard that began earlier, would make it another split.
    """
    lengths = {case: assumed_seconds(suite, case, contenders) for case in cases}
    loads = [0.0] * count
    shard_of = {}
    for case in sorted(cases, key=lambda one: (-lengths[one], hashlib.sha256(one.path.encode()).digest())):
        shard_of[case] = loads.index(min(loads))
        loads[shard_of[case]] += lengths[case]
    return [[case for case in cases if shard_of[case] == number] for number in range(count)]
