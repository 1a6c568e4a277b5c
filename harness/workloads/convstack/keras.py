"""convstack in Keras 3, the same on every backend; channels last or first, as Keras is configured."""

from __future__ import annotations

import keras
from keras import layers

from harness.workloads.convstack.spec import Preset


def model(preset: Preset) -> keras.Model:
    pooling = layers.AveragePooling2D if preset.smooth else layers.MaxPooling2D
    first = keras.config.image_data_format() == "channels_first"
    image = (3, preset.size, preset.size) if first else (preset.size, preset.size, 3)
    stack = keras.Sequential([keras.Input(image)])
    for stage, c_out in enumerate(preset.channels):
        # at stride 1, "same" is one zero on each side
        stack.add(layers.Conv2D(c_out, 3, padding="same", name=f"convs_{stage}"))
        stack.add(pooling(2))  # (B, S / 2^k, S / 2^k, C)
    stack.add(layers.Flatten())  # (B, features), in the order H, W, C for both formats
    stack.add(layers.Dense(preset.classes, name="classifier"))  # (B, classes)
    return stack


def loss() -> keras.losses.Loss:
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)
