"""Run by ``History.ask`` in a process of its own: what the code of another commit says of its works.

``python -P work_script.py CHECKOUT`` reads ``[[stack, workload, preset, task, batch, devices], …]`` and writes a
list for each: work hash, gate hash, config hash, FLOPs, units and unit of a step; null what that commit cannot say.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

checkout = Path(sys.argv[1])
sys.path.insert(0, str(checkout))

from harness import workloads  # noqa: E402


def work(stack: str, workload: str, preset: str, devices: int) -> str:
    try:
        from framebench.records.work_tokens import work_hash
    except ImportError:  # the first commits had another place for it, and every preset was one work
        from framebench.work_hash import work_hash as first_work_hash

        return str(first_work_hash(checkout, stack, workload))
    if devices == 1:  # earlier commits know of no more
        return work_hash(checkout, stack, workload, preset)
    return work_hash(checkout, stack, workload, preset, devices)


def gate(workload: str) -> str:
    from framebench.records.work_tokens import gate_hash

    return gate_hash(checkout, workload)


def specified(workload: str, preset: str) -> tuple[Any, Any]:
    """The specification and the preset as its functions take it: a name in the first commits."""
    found: Any = workloads.get(workload)
    return found, found.presets[preset] if hasattr(found, "config_sha256") else preset


def config(workload: str, preset: str) -> str:
    found, chosen = specified(workload, preset)
    return str(found.config_sha256(chosen))


def flops(workload: str, preset: str, task: str, batch: int) -> int:
    found, chosen = specified(workload, preset)
    return int(found.flops(chosen, batch, task))


def step(workload: str, preset: str, task: str) -> tuple[Any, Any]:
    found, chosen = specified(workload, preset)
    return (found.work(task, chosen) if hasattr(found, "work") else found.tasks[task]), chosen


def units(workload: str, preset: str, task: str, batch: int) -> int:
    done, chosen = step(workload, preset, task)
    return int(done.units(chosen, batch))


def unit(workload: str, preset: str, task: str) -> str:
    return str(step(workload, preset, task)[0].unit)


def told(ask: Callable[..., Any], *about: object) -> Any:
    try:
        return ask(*about)
    except Exception:  # another commit's code: whatever it does not know
        return None


answers = [
    [
        told(work, stack, workload, preset, devices),
        told(gate, workload),
        told(config, workload, preset),
        told(flops, workload, preset, task, batch),
        told(units, workload, preset, task, batch),
        told(unit, workload, preset, task),
    ]
    for stack, workload, preset, task, batch, devices in json.load(sys.stdin)
]
sys.stdout.write(json.dumps(answers))
