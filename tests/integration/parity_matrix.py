"""One contender through the gate: prints JSON, one line per workload, preset and task. Run as a process.

``python -m tests.integration.parity_matrix <stack> <mode> <variant or -> <presets> <cache dir>``
"""

from __future__ import annotations

import json
import os
import sys

import msgspec

from harness import frameworks, parity, workloads
from harness.record import Case, Contender
from harness.workloads import Job, stored_reference

CORES = 2


def contenders() -> list[Contender]:
    """All 17."""
    found = [
        Contender(stack="torch", mode="eager"),
        Contender(stack="torch", mode="compiled"),
        Contender(stack="tensorflow", mode="eager"),
        Contender(stack="tensorflow", mode="compiled", variant="graph"),
        Contender(stack="tensorflow", mode="compiled", variant="xla"),
    ]
    for way in ("loop", "direct"):
        for variant in ("graph", "xla"):
            found.append(Contender(stack="keras-tensorflow", mode="compiled", variant=f"{variant}-{way}"))
        for stack in ("keras-torch", "keras-jax"):
            found.append(Contender(stack=stack, mode="eager", variant=way))
            found.append(Contender(stack=stack, mode="compiled", variant=way))
    return found


def start(contender: Contender, cache_dir: str | None) -> frameworks.Stack:
    """The contender's stack, configured, as a trial does it."""
    os.environ.update(frameworks.environment(contender.stack, CORES, cache_dir))
    stack = frameworks.load(contender.stack)
    stack.configure(contender, CORES, 0)
    return stack


def job_of(contender: Contender, workload: str, preset: str, task: str) -> Job:
    """The job that the parity trial builds: parity batch, seed 0."""
    spec = workloads.get(workload)
    batch = spec.parity_batch(preset)
    case = Case(workload=workload, preset=preset, task=task, batch=batch, cores=CORES)  # type: ignore[arg-type]
    return Job(spec, case, contender, spec.weights(preset, 0), spec.batches(preset, batch, 0))


def main(stack_name: str, mode: str, variant: str, presets: str, cache_dir: str) -> None:
    contender = Contender(stack=stack_name, mode=mode, variant="" if variant == "-" else variant)  # type: ignore[arg-type]
    stack = start(contender, cache_dir)
    for name in workloads.names():
        for preset in presets.split(","):
            for task in ("train", "infer"):
                job = job_of(contender, name, preset, task)
                line = {"contender": contender.slug, "case": f"{name}/{preset}/{task}"}
                try:
                    work = workloads.build(job, stack)
                    reference = stored_reference.expected(name, preset, task)
                    lr = job.workload.learning_rate
                    result = parity.check(work, stack, reference, job.weights, lr, task)
                    line["diffs"] = msgspec.to_builtins(result.diffs)
                    line["passed"] = result.passed
                except frameworks.Unsupported as error:
                    line["unsupported"] = error.reason
                print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
