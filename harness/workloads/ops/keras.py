"""ops in Keras 3, the same on every backend: functional models of one operation."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

from harness.workloads.ops.spec import Preset, work


def attention(preset: Preset, q: Any, k: Any, v: Any) -> Any:  # (B, T, width) each
    split = (-1, preset.length, preset.heads, preset.width // preset.heads)
    mixed = ops.dot_product_attention(*(ops.reshape(x, split) for x in (q, k, v)))  # (B, T, heads, d)
    return ops.reshape(mixed, (-1, preset.length, preset.width))


def elementwise(x: Any) -> Any:
    return (x * ops.tanh(x) + 0.5) * ops.sigmoid(x) - x * x / 4


def result(preset: Preset, *operands: Any) -> Any:
    channels = preset.channels
    match preset.operation:
        case "matmul":
            return ops.matmul(*operands)  # (B, width), (width, width)
        case "conv2d":
            return layers.Conv2D(channels, 3, padding="same", use_bias=False, name="layer")(*operands)
        case "attention":
            return attention(preset, *operands)
        case "layer_norm":
            return layers.LayerNormalization(epsilon=preset.epsilon, name="layer")(*operands)
        case "softmax":
            return ops.softmax(*operands)
        case "elementwise":
            return elementwise(*operands)
        case "embedding":
            return layers.Embedding(preset.rows, preset.width, name="layer")(*operands)  # (B, width)
        case "sort":
            return ops.sort(*operands)
        case "top_k":
            return ops.top_k(*operands, preset.kept)[0]
        case "sum":
            return ops.sum(*operands, axis=-1)
        case "gather":
            return ops.take_along_axis(*operands, axis=-1)


def inputs(preset: Preset) -> dict[str, keras.KerasTensor]:
    row, tokens = (None, preset.width), (None, preset.length, preset.width)
    image = (None, preset.side, preset.side, preset.channels)
    if keras.config.image_data_format() == "channels_first":
        image = (None, preset.channels, preset.side, preset.side)
    shapes = {
        "x": row,
        "y": (preset.width, preset.width),
        "image": image,
        "q": tokens,
        "k": tokens,
        "v": tokens,
    }
    integers = {"tokens": (None,), "index": row}
    return {
        name: keras.Input(batch_shape=integers[name], dtype="int32", name=name)
        if name in integers
        else keras.Input(batch_shape=shapes[name], name=name)
        for name in work(preset).inputs
    }


def model(preset: Preset) -> keras.Model:
    operands = inputs(preset)
    given = operands if len(operands) > 1 else next(iter(operands.values()))
    return keras.Model(given, result(preset, *operands.values()))
