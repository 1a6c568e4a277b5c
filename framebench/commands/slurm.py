"""``framebench slurm``: a campaign as a job array of Slurm, in one file that its user can read and edit."""

from __future__ import annotations

import math
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from framebench.campaign import suites
from framebench.campaign.shards import assumed_seconds, split
from framebench.executors.machine import this_machine

SAFETY = 3
"""The time limit over what a shard is assumed to take: the assumption knows neither the processor nor compilers."""
LEAST_MINUTES = 30
NOTICE_S = 120
"""Between SIGTERM, which ends the trial that runs, and the time limit."""


class SlurmRequest(NamedTuple):
    """What was asked for on the command line."""

    suite: str
    case_globs: tuple[str, ...]
    contender_globs: tuple[str, ...]
    executor: str
    rounds: int | None
    cores: int | None
    shards: int | None
    at_once: int


def run(root: Path, request: SlurmRequest) -> None:
    """Print the file. ``UserError`` for a suite, case or contender that does not exist."""
    sys.stdout.write("\n".join(job_file(root, request)) + "\n")


def job_file(root: Path, request: SlurmRequest) -> Iterator[str]:
    """Lines of the batch script."""
    suite = suites.load(root, request.suite)
    cases = suite.expand(request.cores or this_machine().cores_allowed)
    chosen = suites.select([case.path for case in cases], request.case_globs, "case")
    cases = [case for case in cases if case.path in chosen]
    entrants = suite.entrants()
    named = suites.select([entrant.slug for entrant in entrants], request.contender_globs, "contender")
    entrants = [entrant for entrant in entrants if entrant.slug in named]
    count = request.shards or len(cases)
    loads = [
        sum(assumed_seconds(suite, case, entrants) for case in part)
        for part in split(suite, cases, entrants, count)
    ]
    devices = {case.device for case in cases}
    yield "#!/bin/bash"
    yield f"# Suite {suite.name} of framebench: {len(cases)} cases in {count} parts, each on one node, all its rounds."
    yield "# Submit it with sbatch. Submitted again, it measures only what is missing."
    yield f"#SBATCH --job-name=framebench-{suite.name}"
    yield f"#SBATCH --array=1-{count}%{request.at_once}"
    yield "#SBATCH --nodes=1 --ntasks=1"
    if "cpu" in devices:
        yield "#SBATCH --exclusive --mem=0      # trials on the CPU: nothing else on the node"
    if "gpu" in devices:
        yield "#SBATCH --gres=gpu:1"
    yield f"#SBATCH --time={_limit(max(loads))}"
    yield "#SBATCH --requeue --open-mode=append"
    yield f"#SBATCH --signal=B:TERM@{NOTICE_S}     # ends the trial that runs; its record says so"
    yield "#SBATCH --output=framebench-%A_%a.log"
    yield "##SBATCH --partition=             # your site's words, if it wants any"
    yield "##SBATCH --account="
    yield f"cd {shlex.quote(str(root))} || exit 2"
    if "gpu" in devices:
        yield "# Slurm says a GPU's number on this node; framebench wants its UUID."
        yield (
            'export CUDA_VISIBLE_DEVICES="$(nvidia-smi --query-gpu=uuid --format=csv,noheader '
            '--id="$CUDA_VISIBLE_DEVICES")"'
        )
    yield f"exec {shlex.join(_command(request, count))}"


def _command(request: SlurmRequest, count: int) -> Sequence[str]:
    command = [sys.executable, "-m", "framebench.cli", "run", "--suite", request.suite, "--budget", "none"]
    command += ["--executor", request.executor, "--shard", f"auto/{count}"]
    for option, values in (("--case", request.case_globs), ("--contender", request.contender_globs)):
        command += [part for value in values for part in (option, value)]
    for option, number in (("--rounds", request.rounds), ("--cores", request.cores)):
        command += [option, str(number)] if number is not None else []
    return command


def _limit(seconds: float) -> str:
    """``[days-]hours:minutes:seconds``, up to the next half hour."""
    minutes = max(LEAST_MINUTES, math.ceil(seconds * SAFETY / 60 / 30) * 30)
    days, hours = divmod(minutes // 60, 24)
    return f"{days}-{hours:02}:{minutes % 60:02}:00"
