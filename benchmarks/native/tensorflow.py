"""TensorFlow: the loop of its advanced quickstart, a Keras model and optimizer in a ``tf.function``."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from benchmarks.native.keras import MODELS, alone, optimizer
from harness.workloads import Job

__all__ = ["MODELS", "loop"]


def loop(job: Job, build: Callable[[Any], Any]) -> Callable[[int], Any]:
    model = build(job.preset)
    *given, target = job.workload.tasks["train"].inputs
    x = zip(*(map(tf.constant, job.batches[name]) for name in given), strict=True)
    batches = list(zip(map(alone, map(list, x)), map(tf.constant, job.batches[target]), strict=True))
    return train(job, model, batches) if job.case.task == "train" else predict(model, batches)


def train(job: Job, model: Any, batches: list[Any]) -> Callable[[int], Any]:
    loss_object = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimize = optimizer(job, model)
    steps = itertools.count()

    @tf.function
    def train_step(images: Any, labels: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = loss_object(labels, model(images, training=True))
            total = tf.add_n([loss, *model.losses])
        gradients = tape.gradient(total, model.trainable_variables)
        optimize.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    def run(n: int) -> Any:
        for step in itertools.islice(steps, n):
            loss = train_step(*batches[step % len(batches)])
        return loss

    return run


def predict(model: Any, batches: list[Any]) -> Callable[[int], Any]:
    @tf.function
    def test_step(images: Any) -> Any:
        return model(images, training=False)

    def run(n: int) -> Any:
        for step in range(n):
            predictions = test_step(batches[step % len(batches)][0])
        return predictions

    return run
