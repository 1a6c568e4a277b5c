"""convstack in TensorFlow."""

from __future__ import annotations

import tensorflow as tf

from harness.workloads.convstack.spec import Preset


class Conv(tf.Module):
    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.kernel = tf.Variable(tf.zeros((3, 3, c_in, c_out)))
        self.bias = tf.Variable(tf.zeros((c_out,)))

    def __call__(self, x: tf.Tensor) -> tf.Tensor:  # (B, H, W, c_in)
        x = tf.nn.conv2d(x, self.kernel, strides=1, padding="SAME")  # at stride 1: one zero on each side
        return x + self.bias  # (B, H, W, c_out); bias_add's gradient would add up in bf16 on a CPU


class Dense(tf.Module):
    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.kernel = tf.Variable(tf.zeros((n_in, n_out)))
        self.bias = tf.Variable(tf.zeros((n_out,)))

    def __call__(self, x: tf.Tensor) -> tf.Tensor:  # (B, n_in)
        return tf.nn.bias_add(tf.matmul(x, self.kernel), self.bias)  # (B, n_out)


class ConvStack(tf.Module):
    def __init__(self, preset: Preset) -> None:
        super().__init__()
        self.pool = tf.nn.avg_pool2d if preset.smooth else tf.nn.max_pool2d
        self.convs = [Conv(*pair) for pair in zip((3, *preset.channels), preset.channels, strict=False)]
        features = (preset.size >> len(preset.channels)) ** 2 * preset.channels[-1]
        self.classifier = Dense(features, preset.classes)

    def __call__(self, image: tf.Tensor) -> tf.Tensor:  # (B, S, S, 3)
        x = image
        for conv in self.convs:
            x = self.pool(conv(x), ksize=2, strides=2, padding="VALID")  # (B, S / 2^k, S / 2^k, C)
        x = tf.reshape(x, (len(x), -1))  # (B, features), in the order H, W, C
        return self.classifier(x)  # (B, classes)


def model(preset: Preset) -> tf.Module:
    return ConvStack(preset)


def loss(model: ConvStack, image: tf.Tensor, label: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(label, model(image)))
