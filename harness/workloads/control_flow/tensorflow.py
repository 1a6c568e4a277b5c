"""control_flow in TensorFlow: Python's ``if``, ``while`` and ``for``; ``tf.function`` makes the graph's own of them."""

from __future__ import annotations

import math

import tensorflow as tf

from harness.workloads.control_flow.spec import Preset
from harness.workloads.lstm.tensorflow import Dense, Embedding


class EarlyExit(tf.Module):
    def __init__(self, preset: Preset) -> None:
        super().__init__()
        self.enough = preset.enough
        self.blocks = [Dense(preset.width, preset.width) for _ in range(preset.blocks)]
        self.classifier = Dense(preset.width, preset.classes)

    def __call__(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:  # (B, width) -> (B, classes), (B,)
        taken = tf.zeros(tf.shape(x)[:1], tf.int32)
        for block in self.blocks:
            if tf.reduce_mean(tf.square(x)) < self.enough:
                x = x + tf.tanh(block(x))
                taken += 1
        return self.classifier(x), taken


class Converge(tf.Module):
    def __init__(self, preset: Preset) -> None:
        super().__init__()
        self.enough, self.passes = preset.enough, preset.passes
        self.layer = Dense(preset.width, preset.width)
        self.classifier = Dense(preset.width, preset.classes)

    def __call__(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:  # (B, width) -> (B, classes), (B,)
        z, taken = tf.zeros_like(x), tf.zeros(tf.shape(x)[:1], tf.int32)
        change = tf.constant(math.inf, x.dtype)
        while change >= self.enough and taken[0] < self.passes:
            new = tf.tanh(self.layer(z) + x)
            change = tf.reduce_max(tf.abs(new - z))
            z, taken = new, taken + 1
        return self.classifier(z), taken


class Tree(tf.Module):
    def __init__(self, preset: Preset) -> None:
        super().__init__()
        self.leaves = preset.leaves
        self.embedding = Embedding(preset.vocabulary, preset.width)
        self.join = Dense(2 * preset.width, preset.width)
        self.classifier = Dense(preset.width, preset.classes)

    def __call__(self, tokens: tf.Tensor, left: tf.Tensor, right: tf.Tensor, joints: tf.Tensor) -> tf.Tensor:
        nodes = tf.pad(self.embedding(tokens), ((0, 0), (0, self.leaves - 1), (0, 0)))  # (B, nodes, width)
        every = tf.range(tf.shape(tokens, joints.dtype)[0])
        for joint in tf.range(joints):
            pair = tf.stack((left[:, joint], right[:, joint]), 1)  # (B, 2)
            pair = tf.gather(nodes, pair, axis=1, batch_dims=1)  # (B, 2, width)
            new = tf.tanh(self.join(tf.reshape(pair, (-1, self.join.kernel.shape[0]))))
            place = tf.stack((every, tf.fill(tf.shape(every), self.leaves + joint)), 1)  # (B, 2)
            nodes = tf.tensor_scatter_nd_update(nodes, place, new)
        return self.classifier(nodes[:, self.leaves + joints - 1])  # (B, classes)


def model(preset: Preset) -> tf.Module:
    return {"early_exit": EarlyExit, "converge": Converge, "tree": Tree}[preset.form](preset)
