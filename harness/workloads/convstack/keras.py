"""convstack in Keras 3: a ``Sequential`` model, compiled with ``SGD``; NHWC, the same on every backend."""

from __future__ import annotations

import keras
from keras import layers

from harness.frameworks import Stack
from harness.workloads import Job, keras_steps


def conv_stack(size: int, channels: tuple[int, ...], classes: int) -> keras.Model:
    model = keras.Sequential([keras.Input((size, size, 3))])  # (B, S, S, 3)
    for stage, c_out in enumerate(channels, start=1):
        # 3 x 3, stride 1: same is one zero on each side
        model.add(layers.Conv2D(c_out, 3, padding="same", activation=None, name=f"conv{stage}"))
        model.add(layers.MaxPooling2D(2, strides=2, padding="valid"))  # halves height and width
    model.add(layers.Flatten())  # (B, features), in the order H, W, C
    model.add(layers.Dense(classes, activation=None, name="classifier"))  # (B, classes)
    return model


def build(job: Job, stack: Stack) -> keras_steps.KerasWork:
    preset = job.workload.presets[job.case.preset]
    model = conv_stack(preset.size, preset.channels, preset.classes)
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
