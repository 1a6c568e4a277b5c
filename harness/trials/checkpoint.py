"""Weights that a preset starts from because they are trained: made once, by PyTorch, and kept with the workload.

``python -m harness.trials.checkpoint WORKLOAD PRESET BATCH EPOCHS FILE`` trains from seed 0 in fp32 (an epoch is what
the workload scores after) and stores every tensor in float16.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from harness import frameworks, workloads
from harness.cores import cores_allowed
from harness.gate.check import timed_job
from harness.record import Case, Contender
from harness.trials.learning import trained

SEED = 0


def make(name: str, preset: str, batch: int, epochs: int, path: Path) -> None:
    """Train and write; the score after each epoch is printed."""
    case = Case(workload=name, preset=preset, task="train", batch=batch, cores=cores_allowed())
    contender = Contender(stack="torch", mode="eager")
    stack = frameworks.load("torch")
    stack.configure(case, contender, SEED)
    job = timed_job(case, contender)
    rule = job.workload.learning
    assert rule is not None
    driver = frameworks.build(job, stack)
    for epoch, _ in trained(driver, stack, job, epochs, SEED):
        kept = {tensor: array.astype(np.float16) for tensor, array in driver.state().tensors.items()}
        rounded = {tensor: array.astype(np.float32) for tensor, array in kept.items()}
        print(f"epoch {epoch}: {rule.measure} {rule.score(job.preset, rounded):.3f}", flush=True)
    np.savez_compressed(path, **kept)  # type: ignore[arg-type]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m harness.trials.checkpoint")
    parser.add_argument("workload", choices=workloads.names())
    parser.add_argument("preset")
    parser.add_argument("batch", type=int)
    parser.add_argument("epochs", type=int)
    parser.add_argument("file", type=Path)
    given = parser.parse_args()
    workload = workloads.get(given.workload)
    if workload.learning is None:
        parser.error(f"{given.workload} declares no learning in its spec.py: nothing says when an epoch ends")
    if given.preset not in workload.presets:
        parser.error(f"{given.workload} has no preset {given.preset!r}; it has {', '.join(workload.presets)}")
    if min(given.batch, given.epochs) < 1:
        parser.error("batch and epochs are 1 or more")
    make(given.workload, given.preset, given.batch, given.epochs, given.file)


if __name__ == "__main__":
    main()
