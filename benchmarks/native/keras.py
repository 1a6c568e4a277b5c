"""Keras: ``model.fit`` and ``model.predict`` on arrays, as its getting-started pages call them.

``resnet50`` and ``gpt`` are the models of the workloads' own ``keras.py``: functional API and layers all through, so
writing them again would only be a copy. Everything after the model is apart: optimizer, ``compile``, ``fit``.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers

from harness import workloads
from harness.workloads import Job
from harness.workloads.specification import SGD


def convstack(preset: Any) -> keras.Model:
    model = keras.Sequential([keras.Input((preset.size, preset.size, 3))])
    for channels in preset.channels:
        model.add(layers.Conv2D(channels, 3, padding="same"))
        model.add(layers.MaxPooling2D())
    model.add(layers.Flatten())
    model.add(layers.Dense(preset.classes))
    return model


def mlp(preset: Any) -> keras.Model:
    model = keras.Sequential([keras.Input((8, 8)), layers.Flatten()])
    for width in preset.widths[1:-1]:
        model.add(layers.Dense(width, activation="relu"))
    model.add(layers.Dense(preset.widths[-1]))
    return model


MODELS: dict[str, Callable[[Any], keras.Model]] = {
    "convstack": convstack,
    "mlp": mlp,
    "resnet50": lambda preset: workloads.file("resnet50", "keras").model(preset),
    "gpt": lambda preset: workloads.file("gpt", "keras").model(preset),
}


def optimizer(job: Job, model: keras.Model) -> keras.Optimizer:
    """Keras' own for the declared one; SGD's L2 is a regularizer of the kernels, which adds to ``model.losses``."""
    declared = job.workload.optimizer
    if isinstance(declared, SGD):
        for weight in model.trainable_weights if declared.weight_decay else ():
            if weight.name == "kernel":
                weight.regularizer = keras.regularizers.L2(declared.weight_decay / 2)
        return keras.optimizers.SGD(declared.lr, momentum=declared.momentum)
    rate, shape = declared.lr, declared.schedule
    if shape is not None:
        rate = keras.optimizers.schedules.CosineDecay(
            declared.lr / shape.warmup,
            decay_steps=shape.total - shape.warmup,
            alpha=shape.floor,
            warmup_target=declared.lr,
            warmup_steps=shape.warmup,
        )
    adamw = keras.optimizers.AdamW(
        rate, weight_decay=declared.weight_decay, beta_1=declared.beta1, beta_2=declared.beta2
    )
    adamw.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return adamw


def alone(inputs: list[Any]) -> Any:
    """What a model of one input takes: not a list of it."""
    return inputs[0] if len(inputs) == 1 else inputs


def loop(job: Job, build: Callable[[Any], keras.Model]) -> Callable[[int], Any]:
    model = build(job.preset)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=optimizer(job, model), loss=loss)
    *given, target = job.workload.tasks["train"].inputs

    @functools.cache
    def samples(name: str, n: int) -> np.ndarray:
        """Of n steps, made before the clock: the warm-up asks for as many."""
        found = job.batches[name].reshape(-1, *job.batches[name].shape[2:])
        times = math.ceil(n * job.batch / len(found))
        return np.concatenate([found] * times)[: n * job.batch]

    def x(n: int) -> Any:
        return alone([samples(name, n) for name in given])

    def fit(n: int) -> Any:
        y = samples(target, n)
        return model.fit(x(n), y, batch_size=job.batch, verbose=0, shuffle=False).history["loss"]

    def predict(n: int) -> Any:
        return model.predict(x(n), batch_size=job.batch, verbose=0)

    return fit if job.case.task == "train" else predict
