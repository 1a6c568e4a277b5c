"""Weights that a preset starts from because they are trained: made once, by PyTorch, and kept with the workload.

``python -m harness.trials.checkpoint WORKLOAD PRESET BATCH EPOCHS FILE`` trains from seed 0 in fp32 (an epoch is what
the workload scores after) and stores every tensor in float16.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from harness import frameworks
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
    if rule is None:
        sys.exit(f"{name} declares no learning in its spec.py: nothing says when an epoch ends")
    driver = frameworks.build(job, stack)
    for epoch, _ in trained(driver, stack, job, epochs, SEED):
        kept = {tensor: array.astype(np.float16) for tensor, array in driver.state().tensors.items()}
        rounded = {tensor: array.astype(np.float32) for tensor, array in kept.items()}
        print(f"epoch {epoch}: {rule.measure} {rule.score(job.preset, rounded):.3f}", flush=True)
    np.savez_compressed(path, **kept)  # type: ignore[arg-type]


if __name__ == "__main__":
    workload, preset, batch, epochs, path = sys.argv[1:]
    make(workload, preset, int(batch), int(epochs), Path(path))
