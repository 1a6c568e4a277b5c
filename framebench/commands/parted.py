"""What `slurm` and `ci-matrix` share: a campaign in parts, the line that measures one, and the time it may take."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from framebench.campaign import suites
from framebench.campaign.shards import assumed_seconds, split
from framebench.campaign.suites import Suite
from framebench.executors.machine import this_machine
from harness.record import Case

SAFETY = 3
"""The time limit over what a shard is assumed to take: the assumption knows neither the processor nor compilers."""
LEAST_MINUTES = 30


class PartsRequest(NamedTuple):
    """What was asked for on the command line."""

    suite: str
    case_globs: tuple[str, ...]
    contender_globs: tuple[str, ...]
    executor: str
    rounds: int | None
    cores: int | None
    shards: int | None


class Parts(NamedTuple):
    """The suite, its chosen cases, and what each part is assumed to take."""

    suite: Suite
    cases: list[Case]
    seconds: list[float]

    @property
    def limits(self) -> list[int]:
        """Of each part, the minutes that it may take: up to the next half hour."""
        return [max(LEAST_MINUTES, math.ceil(long * SAFETY / 60 / 30) * 30) for long in self.seconds]


def parts(root: Path, request: PartsRequest) -> Parts:
    """``UserError`` for a suite, case or contender that does not exist."""
    suite = suites.load(root, request.suite)
    cases = suite.expand(request.cores or this_machine().cores_allowed)
    chosen = suites.select([case.path for case in cases], request.case_globs, "case")
    cases = [case for case in cases if case.path in chosen]
    entrants = suite.entrants()
    named = suites.select([entrant.slug for entrant in entrants], request.contender_globs, "contender")
    entrants = [entrant for entrant in entrants if entrant.slug in named]
    split_up = split(suite, cases, entrants, request.shards or len(cases))
    return Parts(
        suite, cases, [sum(assumed_seconds(suite, case, entrants) for case in part) for part in split_up]
    )


def run_arguments(request: PartsRequest, shard: str) -> Sequence[str]:
    """What `framebench` is told to measure one part of the request."""
    arguments = ["run", "--suite", request.suite, "--budget", "none"]
    arguments += ["--executor", request.executor, "--shard", shard]
    for option, values in (("--case", request.case_globs), ("--contender", request.contender_globs)):
        arguments += [part for value in values for part in (option, value)]
    for option, number in (("--rounds", request.rounds), ("--cores", request.cores)):
        arguments += [option, str(number)] if number is not None else []
    return arguments
