"""mlp in TensorFlow: a ``tf.Module``, ``tf.GradientTape`` and the momentum rule by hand."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import tensorflow as tf

from harness.frameworks import Stack
from harness.workloads import Job, Weights


class Mlp(tf.Module):
    def __init__(self, weights: Weights) -> None:
        super().__init__()
        self.parameters = {name: tf.Variable(array, name=name) for name, array in weights.items()}
        self.layers = len(weights) // 2

    def __call__(self, images: tf.Tensor) -> tf.Tensor:  # (B, 8, 8)
        p = self.parameters
        x = tf.reshape(images, (images.shape[0], -1))  # (B, 64), row by row
        for layer in range(1, self.layers):
            x = tf.nn.relu(tf.matmul(x, p[f"dense{layer}.kernel"]) + p[f"dense{layer}.bias"])  # (B, width)
        return tf.matmul(x, p[f"dense{self.layers}.kernel"]) + p[f"dense{self.layers}.bias"]  # (B, classes)


class TensorFlowWork:
    def __init__(self, job: Job, stack: Stack) -> None:
        self.model = Mlp(job.weights)
        self.velocity = {
            name: tf.Variable(tf.zeros_like(variable)) for name, variable in self.model.parameters.items()
        }
        self.lr, self.momentum = job.workload.learning_rate, job.workload.momentum
        self.batches = [(stack.to_device(x), stack.to_device(y)) for x, y in zip(*job.batches, strict=True)]
        self.step = stack.compile(self.train_step if job.case.task == "train" else self.infer_step)
        self.reset(job.weights)

    def train_step(self, images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            logits = self.model(images)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
        gradients = tape.gradient(loss, self.model.parameters)
        for name, variable in self.model.parameters.items():
            velocity = self.velocity[name]
            velocity.assign(self.momentum * velocity + gradients[name])
            variable.assign_sub(self.lr * velocity)
        return loss

    def infer_step(self, images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        return self.model(images)

    def run(self, n: int) -> Any:
        for images, labels in itertools.islice(self.stream, n):
            output = self.step(images, labels)
        return output

    def weights(self) -> dict[str, np.ndarray]:
        return {name: np.array(variable.numpy()) for name, variable in self.model.parameters.items()}

    def reset(self, weights: Weights) -> None:
        for name, variable in self.model.parameters.items():
            variable.assign(weights[name])
            self.velocity[name].assign(tf.zeros_like(variable))
        self.stream = itertools.cycle(self.batches)


def build(job: Job, stack: Stack) -> TensorFlowWork:
    return TensorFlowWork(job, stack)
