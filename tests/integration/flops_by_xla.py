"""XLA's own FLOP count of each workload's Keras model on JAX: ``python -m tests.integration.flops_by_xla BATCH``.

Writes one JSON object ``{"<workload> <preset> <task>": [lowered, compiled]}``: FLOPs before and after XLA's
optimizations. A process of its own, because Keras takes its backend when it is imported. Nothing is computed:
functions are lowered from shapes.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import keras

from harness import workloads
from harness.workloads.convstack.keras import conv_stack
from harness.workloads.mlp.keras import mlp

MODELS = {
    "convstack": lambda preset: conv_stack(preset.size, preset.channels, preset.classes),
    "mlp": lambda preset: mlp(preset.widths),
}


def lower(model: keras.Model, task: str, batch: int) -> Any:
    """The forward pass (infer), or the loss with the gradients of all weights (train)."""
    weights = [jax.ShapeDtypeStruct(one.shape, one.dtype) for one in model.trainable_variables]
    images = jax.ShapeDtypeStruct((batch, *model.input_shape[1:]), "float32")
    labels = jax.ShapeDtypeStruct((batch,), "int32")
    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def forward(values: Any, x: Any) -> Any:
        return model.stateless_call(values, [], x)[0]

    def train(values: Any, x: Any, y: Any) -> Any:
        return jax.value_and_grad(lambda at: cross_entropy(y, forward(at, x)))(values)

    if task == "infer":
        return jax.jit(forward).lower(weights, images)
    return jax.jit(train).lower(weights, images, labels)


def main() -> None:
    batch = int(sys.argv[1])
    found: dict[str, list[float]] = {}
    for name, make in MODELS.items():
        for preset, shape in workloads.get(name).presets.items():
            for task in ("infer", "train"):
                lowered = lower(make(shape), task, batch)
                stages = (lowered, lowered.compile())
                found[f"{name} {preset} {task}"] = [stage.cost_analysis()["flops"] for stage in stages]
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
