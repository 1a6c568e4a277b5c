"""ops in TensorFlow."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from harness.workloads.lstm.tensorflow import Embedding
from harness.workloads.ops.spec import Preset


class Conv2D(tf.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.kernel = tf.Variable(tf.zeros((3, 3, channels, channels)))

    def __call__(self, image: tf.Tensor) -> tf.Tensor:  # (B, S, S, C)
        return tf.nn.conv2d(image, self.kernel, strides=1, padding="SAME")


class LayerNorm(tf.Module):
    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__()
        self.gamma, self.beta = tf.Variable(tf.zeros((width,))), tf.Variable(tf.zeros((width,)))
        self.epsilon = epsilon

    def __call__(self, x: tf.Tensor) -> tf.Tensor:  # (B, width)
        mean, variance = tf.nn.moments(x, axes=-1, keepdims=True)
        return tf.nn.batch_normalization(x, mean, variance, self.beta, self.gamma, self.epsilon)


class Layer(tf.Module):
    """A layer with weights."""

    def __init__(self, layer: tf.Module) -> None:
        super().__init__()
        self.layer = layer

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        return self.layer(x)


class Function(tf.Module):
    """A function without weights."""

    def __init__(self, function: Callable[..., tf.Tensor]) -> None:
        super().__init__()
        self.function = function

    def __call__(self, *operands: tf.Tensor) -> tf.Tensor:
        return self.function(*operands)


def attention(q: tf.Tensor, k: tf.Tensor, v: tf.Tensor, heads: int) -> tf.Tensor:  # (B, T, width) each
    """In parts: TensorFlow has no fused kernel of its own."""
    length, width = q.shape[1], q.shape[2]
    split = (-1, length, heads, width // heads)
    q, k, v = (tf.transpose(tf.reshape(x, split), (0, 2, 1, 3)) for x in (q, k, v))  # (B, heads, T, d)
    scores = tf.matmul(q, k, transpose_b=True) * (width // heads) ** -0.5  # (B, heads, T, T)
    mixed = tf.transpose(tf.matmul(tf.nn.softmax(scores), v), (0, 2, 1, 3))  # (B, T, heads, d)
    return tf.reshape(mixed, (-1, length, width))


def elementwise(x: tf.Tensor) -> tf.Tensor:
    return (x * tf.tanh(x) + 0.5) * tf.sigmoid(x) - x * x / 4


def model(preset: Preset) -> tf.Module:
    match preset.operation:
        case "matmul":
            return Function(tf.matmul)  # (B, width), (width, width)
        case "conv2d":
            return Layer(Conv2D(preset.channels))
        case "attention":
            return Function(lambda q, k, v: attention(q, k, v, preset.heads))
        case "layer_norm":
            return Layer(LayerNorm(preset.width, preset.epsilon))
        case "softmax":
            return Function(tf.nn.softmax)
        case "elementwise":
            return Function(elementwise)
        case "embedding":
            return Layer(Embedding(preset.rows, preset.width))
        case "sort":
            return Function(tf.sort)
        case "top_k":
            return Function(lambda x: tf.math.top_k(x, preset.kept).values)
        case "sum":
            return Function(lambda x: tf.reduce_sum(x, -1))
        case "gather":
            return Function(lambda x, index: tf.gather(x, index, axis=-1, batch_dims=1))
