"""mlp in Keras 3: a ``Sequential`` model, compiled with ``SGD``; the same on every backend."""

from __future__ import annotations

import keras
from keras import layers

from harness.frameworks import Stack
from harness.workloads import Job, keras_steps


def mlp(widths: tuple[int, ...]) -> keras.Model:
    model = keras.Sequential([keras.Input((8, 8))])  # (B, 8, 8)
    model.add(layers.Flatten())  # (B, 64), row by row
    for layer, width in enumerate(widths[1:-1], start=1):
        model.add(layers.Dense(width, activation="relu", name=f"dense{layer}"))  # (B, width)
    model.add(layers.Dense(widths[-1], activation=None, name=f"dense{len(widths) - 1}"))  # (B, classes)
    return model


def build(job: Job, stack: Stack) -> keras_steps.KerasWork:
    model = mlp(job.workload.presets[job.case.preset].widths)
    model.compile(
        optimizer=keras.optimizers.SGD(
            learning_rate=job.workload.learning_rate,
            momentum=job.workload.momentum,
            nesterov=False,
            weight_decay=None,
        ),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum_over_batch_size"),
        jit_compile=stack.jit_compile,  # type: ignore[attr-defined]
        run_eagerly=False,
        steps_per_execution=1,
    )
    return keras_steps.build(model, job, stack)
