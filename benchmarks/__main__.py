"""``make bench``: every benchmark of the project, each in the environment of its stack, one after the other.

But for those that need libraries which not every stack has beside it (torchvision, KerasHub, Flax): ``detector_parts``,
``generation`` and ``against_native --models well_known``.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

from benchmarks.against_native import OURS
from framebench.executors.alone import alone
from framebench.executors.venv import VenvExecutor
from framebench.images import load_matrix

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Print one line per figure."""
    matrix = load_matrix(ROOT)
    environments = VenvExecutor(ROOT)
    pythons = {}
    for row in matrix.select():
        environments.prepare_row(row, print)
        pythons[row.stack] = environments.interpreter(row.name)
    _run([str(pythons["torch"]), "-m", "benchmarks.harness_overhead"])
    for stack in OURS:
        _run([str(pythons[stack]), "-m", "benchmarks.against_native", stack])
    _run([sys.executable, "-m", "benchmarks.warmup_rule"])
    _run([sys.executable, "-m", "benchmarks.statistics_speed"])
    _run([sys.executable, "-m", "benchmarks.coverage"])
    _run([sys.executable, "-m", "benchmarks.sampler_cost"])
    _run([sys.executable, "-m", "benchmarks.image_size"])
    site_cpu_seconds()
    _run([sys.executable, "-m", "benchmarks.site_scale", "--results", "1000"])


def site_cpu_seconds() -> None:
    """CPU seconds of `make site` on the committed results."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    _run([sys.executable, "-m", "framebench.cli", "site"])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"make site on {len(list((ROOT / 'results').rglob('*.json')))} files: {seconds:.1f} s of CPU")


def _run(command: list[str]) -> None:
    print("$", " ".join(command[1:]), flush=True)
    subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True)


if __name__ == "__main__":
    with alone(ROOT, print):
        main()
