"""``framebench reference``: what float64 says about a workload, computed and stored, with measured tolerances."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from framebench.campaign import suites
from framebench.commands import unwritten
from framebench.commands.saying import Sayer
from framebench.errors import UserError
from framebench.executors.environment_python import lines
from harness import workloads

COMPUTES = "torch"  # runs its own file in float64
WITNESS = "jax"  # has to agree with it


def run(root: Path, workload: str, shapes: tuple[str, ...], console: Console) -> int:
    """Write ``harness/workloads/<workload>/reference.json``, then let a second framework check it."""
    say = Sayer(console)
    if workload not in workloads.names():
        raise UserError(f"there is no workload {workload!r}; known are {', '.join(workloads.names())}")
    if not workloads.has_file(workload, COMPUTES):
        raise UserError(
            f"harness/workloads/{workload}/{COMPUTES}.py is missing: the reference is computed with it"
        )
    unwritten.refuse(workload, COMPUTES)
    wanted = shapes or tuple(timed_shapes(root, workload))
    say(f"{COMPUTES} in float64; timed shapes: {', '.join(wanted) or 'none'}")
    for line in lines(root, COMPUTES, "harness.gate.compute", [workload, *wanted], say):
        say(line)
    say(f"written: harness/workloads/{workload}/reference.json")
    if not workloads.has_file(workload, WITNESS):
        say(f"nobody has checked it: write harness/workloads/{workload}/{WITNESS}.py")
        return 1
    unwritten.refuse(workload, WITNESS)
    failed = 0
    for line in lines(root, WITNESS, "harness.gate.witness", [workload, WITNESS], say):
        say(line)
        failed += line.endswith("DISAGREES")
    return 1 if failed else 0


def timed_shapes(root: Path, workload: str) -> list[str]:
    """``preset:task:batch`` of every CPU case of the suites, each once; a GPU's are asked for by name (they
    take long)."""
    found: dict[str, None] = {}
    for name in suites.available(root):
        for case in suites.load(root, name).expand(1):
            if case.workload == workload and case.device == "cpu":
                found[f"{case.preset}:{case.task}:{case.batch}"] = None
    return list(found)
