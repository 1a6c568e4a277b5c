"""What ``reset``, ``weights`` and ``run`` promise, tried on one contender; prints one JSON line.

``python -m tests.integration.reset_and_order <stack> <mode> <variant or ->``
"""

from __future__ import annotations

import json
import sys

import numpy as np

from harness import workloads
from harness.record import Contender
from harness.workloads import Weights
from tests.integration.parity_matrix import job_of, start


def same(first: Weights, second: Weights) -> bool:
    return all(np.allclose(first[name], second[name], rtol=1e-5, atol=1e-7) for name in first)


def main(stack_name: str, mode: str, variant: str) -> None:
    contender = Contender(stack=stack_name, mode=mode, variant="" if variant == "-" else variant)  # type: ignore[arg-type]
    stack = start(contender, None)
    job = job_of(contender, "mlp", "smoke", "train")
    given = {name: array.copy() for name, array in job.weights.items()}
    work = workloads.build(job, stack)

    first_loss = float(stack.to_host(stack.barrier(work.run(1))))
    after_one = work.weights()
    kept = {name: array.copy() for name, array in after_one.items()}
    stack.barrier(work.run(4))
    after_five = work.weights()
    second_loss_again = float(stack.to_host(stack.barrier(work.run(1))))

    work.reset(job.weights)
    stack.barrier(work.run(2))
    stack.barrier(work.run(3))
    split = work.weights()

    work.reset(job.weights)
    reset_loss = float(stack.to_host(stack.barrier(work.run(1))))
    # the sixth loss: a stuck or restarted cursor would show another batch, as the fp64 losses do
    answer = {
        "given weights unchanged": all(np.array_equal(given[name], job.weights[name]) for name in given),
        "returned weights unchanged": all(np.array_equal(kept[name], after_one[name]) for name in kept),
        "same after reset": abs(reset_loss - first_loss) < 1e-6,
        "5 steps are 2 and 3 steps": same(split, after_five),
        "steps go on from batch to batch": abs(second_loss_again - sixth_loss(job)) < 1e-4,
    }
    print(json.dumps(answer), flush=True)


def sixth_loss(job: workloads.Job) -> float:
    """fp64 loss of batch 6 after five steps."""
    from harness.workloads.mlp import reference

    spec, (x, y) = job.workload, job.batches
    moved = reference.train(job.weights, job.batches, 5, spec.learning_rate, spec.momentum).updates
    weights = {name: array + moved[name] for name, array in job.weights.items()}
    return reference.cross_entropy(reference.forward(weights, x[5]).logits, y[5])


if __name__ == "__main__":
    main(*sys.argv[1:])
