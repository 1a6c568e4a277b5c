"""mlp in TensorFlow."""

from __future__ import annotations

import itertools

import tensorflow as tf

from harness.workloads.mlp.spec import Preset


class Dense(tf.Module):
    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.kernel = tf.Variable(tf.zeros((n_in, n_out)))
        self.bias = tf.Variable(tf.zeros((n_out,)))

    def __call__(self, x: tf.Tensor) -> tf.Tensor:  # (B, n_in)
        return tf.nn.bias_add(tf.matmul(x, self.kernel), self.bias)  # (B, n_out)


class Mlp(tf.Module):
    def __init__(self, preset: Preset) -> None:
        super().__init__()
        self.activation = tf.nn.silu if preset.smooth else tf.nn.relu
        self.dense = [Dense(n_in, n_out) for n_in, n_out in itertools.pairwise(preset.widths)]

    def __call__(self, image: tf.Tensor) -> tf.Tensor:  # (B, 8, 8)
        x = tf.reshape(image, (len(image), -1))  # (B, 64), row by row
        for hidden in self.dense[:-1]:
            x = self.activation(hidden(x))  # (B, width)
        return self.dense[-1](x)  # (B, classes)


def model(preset: Preset) -> tf.Module:
    return Mlp(preset)


def loss(model: Mlp, image: tf.Tensor, label: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(label, model(image)))
