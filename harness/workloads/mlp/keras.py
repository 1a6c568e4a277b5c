"""mlp in Keras 3, the same on every backend."""

from __future__ import annotations

import keras
from keras import layers

from harness.workloads.mlp.spec import Preset


def model(preset: Preset) -> keras.Model:
    activation = "silu" if preset.smooth else "relu"
    mlp = keras.Sequential([keras.Input((8, 8)), layers.Reshape((64,))])  # (B, 64), row by row
    for layer, width in enumerate(preset.widths[1:-1]):
        mlp.add(layers.Dense(width, activation=activation, name=f"dense_{layer}"))  # (B, width)
    mlp.add(layers.Dense(preset.widths[-1], name=f"dense_{len(preset.widths) - 2}"))  # (B, classes)
    return mlp


def loss() -> keras.losses.Loss:
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)
