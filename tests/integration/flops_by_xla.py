"""XLA's own FLOP count of each workload's JAX file: ``python -m tests.integration.flops_by_xla BATCH WORKLOAD...``.

Writes one JSON object ``{"<workload> <preset> <task>": [lowered, compiled]}``: FLOPs before and after XLA's
optimizations. A process of its own, because JAX takes its platform when it is first used. Nothing is computed:
functions are lowered from shapes.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

os.environ["JAX_PLATFORMS"] = "cpu"

import jax

from harness import workloads
from harness.frameworks.jax.trees import nested
from harness.workloads.specification import Workload


def lower(workload: Workload, preset: Any, task: str, batch: int) -> Any:
    """The forward pass (infer), or the loss with the gradients of all weights (train)."""
    file = workloads.file(workload.name, "jax")
    model, work = file.model(preset), workload.work(task, preset)  # type: ignore[arg-type]
    params = nested(
        {name: jax.ShapeDtypeStruct(one.shape, "float32") for name, one in workload.tensors(preset).items()}
    )
    declared = [workload.inputs[name] for name in work.inputs]
    inputs = [
        jax.ShapeDtypeStruct(one.resolved(preset, batch), one.dtype.replace("64", "32")) for one in declared
    ]
    if task == "infer":
        return jax.jit(model).lower(params, *inputs)

    def train(params: Any, *inputs: Any) -> Any:
        return jax.value_and_grad(lambda at: file.loss(model, at, *inputs))(params)

    return jax.jit(train).lower(params, *inputs)


def main() -> None:
    batch, names = int(sys.argv[1]), sys.argv[2:]
    counts: dict[str, list[float]] = {}
    for name in names:
        workload = workloads.get(name)
        for preset, shape in workload.presets.items():
            for task in workload.tasks:
                lowered = lower(workload, shape, task, batch)
                stages = (lowered, lowered.compile())
                counts[f"{name} {preset} {task}"] = [stage.cost_analysis()["flops"] for stage in stages]
    json.dump(counts, sys.stdout)


if __name__ == "__main__":
    main()
