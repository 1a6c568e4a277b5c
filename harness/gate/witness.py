"""Further witnesses of a stored reference: a second framework's float64, and finite differences along random
directions.

``python -m harness.gate.witness WORKLOAD STACK`` prints one line for each stored entry and check.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import numpy as np

from harness import frameworks, workloads
from harness.frameworks import Driver, Stack
from harness.gate import parts, reference, shape
from harness.gate.check import make_job
from harness.record import Case, Contender
from harness.workloads import Job

STEP = 1e-5  # of a finite difference, along a direction of norm one
FINITE_DIFFERENCE = 1e-6  # relative; the error of a central difference at that step in float64


def agree(name: str, stack: Stack) -> Iterator[str]:
    """Every entry of the workload's file against this stack's eager float64, to its declared floor."""
    workload = workloads.get(name)
    for preset in dict.fromkeys(size.preset or own for own, size in workload.gate.sizes.items()):
        for task in workload.tasks:
            for smooth in (False, True) if workload.gate.smooth else (False,):
                stored = reference.entry(workload, preset, smooth, task, stack.info.adam_epsilon)
                case = Case(workload=name, preset=preset, task=task, batch=stored.batch, cores=1)
                contender = Contender(stack=stack.info.name, mode="eager")
                given = reference.formed(workload, preset, smooth)
                job = make_job(case, contender, given, stored.batch, "fp64")
                driver = frameworks.build(job, stack)
                form = f"{preset}/{task}" + ("/smooth" if smooth else "")
                if task == "train":
                    walk = parts.Walk(driver, stack, job)
                    diffs = parts.training(walk, stored, lambda _: stack.info.float64_floor * 10)
                    yield _line(
                        f"{form} {stack.info.name} float64",
                        max(diff.value or 0.0 for diff in diffs),
                        all(d.passed for d in diffs),
                    )
                    if smooth or not workload.gate.smooth:
                        error = finite_difference(driver, stack, job, walk)
                        yield _line(f"{form} finite difference", error, error <= FINITE_DIFFERENCE)
                else:
                    steps = shape.steps(job)
                    diffs = parts.inference(
                        driver, stack, job, stored.outputs, steps, lambda _: stack.info.float64_floor
                    )
                    yield _line(
                        f"{form} {stack.info.name} float64",
                        max(diff.value or 0.0 for diff in diffs),
                        all(d.passed for d in diffs),
                    )


def finite_difference(driver: Driver, stack: Stack, job: Job, walk: parts.Walk) -> float:
    """Relative error of the first gradient along a random direction: (L(W + h d) - L(W - h d)) / 2h against g . d."""
    specified = job.workload.tensors(job.preset)
    draw = np.random.Generator(np.random.Philox(7))
    direction = {
        name: draw.standard_normal(one.shape) for name, one in specified.items() if one.role == "weight"
    }
    length = np.sqrt(sum(float(np.sum(array**2)) for array in direction.values()))
    direction = {name: array / length for name, array in direction.items()}
    expected = sum(
        float(np.sum(walk.gradient(name, specified[name].decayed) * array))
        for name, array in direction.items()
    )

    def loss(sign: float) -> float:
        moved = {name: job.weights[name] + sign * STEP * array for name, array in direction.items()}
        driver.reset({**{name: array.astype(np.float64) for name, array in job.weights.items()}, **moved})
        return parts.step_loss(driver, stack)

    return abs((loss(1.0) - loss(-1.0)) / (2 * STEP) - expected) / abs(expected)


def _line(what: str, worst: float, passed: bool) -> str:
    return f"{what}: worst {worst:.1e} {'agrees' if passed else 'DISAGREES'}"


def main() -> None:
    name, stack_name = sys.argv[1:3]
    os.environ.update(frameworks.environment(stack_name, len(os.sched_getaffinity(0)), None))
    stack = frameworks.load(stack_name)
    case = Case(workload=name, preset="", task="train", batch=1, cores=1)
    stack.configure(case, Contender(stack=stack_name, mode="eager"), reference.SEED)
    for line in agree(name, stack):
        print(line, flush=True)


if __name__ == "__main__":
    main()
