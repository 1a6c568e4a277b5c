"""``framebench slurm``: a campaign as a job array of Slurm, in one file that its user can read and edit."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from framebench.commands.fleet import APART, nodes_of, slower
from framebench.commands.parted import PartsRequest, parts, run_arguments
from framebench.commands.saying import Sayer

NOTICE_S = 120
"""Between SIGTERM, which ends the trial that runs, and the time limit."""


def run(root: Path, request: PartsRequest, at_once: int, fleet: Path | None = None) -> None:
    """Print the file. ``UserError`` for a suite, case or contender that does not exist, and for a ``fleet`` (records of
    its nodes) that tells nothing."""
    slow = [] if fleet is None else slower(nodes_of([fleet], APART, Sayer(Console(stderr=True))))
    sys.stdout.write("\n".join(job_file(root, request, at_once, slow)) + "\n")


def job_file(root: Path, request: PartsRequest, at_once: int, slow: Sequence[str] = ()) -> Iterator[str]:
    """Lines of the batch script; ``at_once`` tasks run at a time, none on the ``slow`` nodes."""
    whole = parts(root, request)
    suite, cases, count = whole.suite, whole.cases, len(whole.seconds)
    devices = {case.device for case in cases}
    yield "#!/bin/bash"
    yield f"# Suite {suite.name} of framebench: {len(cases)} cases in {count} parts, each on one node, all its rounds."
    yield "# Submit it with sbatch. Submitted again, it measures only what is missing."
    yield f"#SBATCH --job-name=framebench-{suite.name}"
    yield f"#SBATCH --array=1-{count}%{at_once}"
    yield "#SBATCH --nodes=1 --ntasks=1"
    if "cpu" in devices:
        yield "#SBATCH --exclusive --mem=0      # trials on the CPU: nothing else on the node"
    if "gpu" in devices:
        yield "#SBATCH --gres=gpu:1"
    if slow:
        yield f"#SBATCH --exclude={','.join(slow)}     # slower than the others of their kind"
    yield f"#SBATCH --time={_limit(max(whole.limits))}"
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
    command = [sys.executable, "-m", "framebench.cli", *run_arguments(request, f"auto/{count}")]
    yield f"exec {shlex.join(command)}"


def _limit(minutes: int) -> str:
    """``days-hours:minutes:seconds``."""
    days, hours = divmod(minutes // 60, 24)
    return f"{days}-{hours:02}:{minutes % 60:02}:00"
