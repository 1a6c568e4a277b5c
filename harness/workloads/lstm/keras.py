"""lstm in Keras 3, the same on every backend."""

from __future__ import annotations

import keras
from keras import layers

from harness.workloads.lstm.spec import Preset

NAMES = {f"lstm/lstm_cell/{part}": f"lstm.{part}" for part in ("kernel", "recurrent_kernel", "bias")}


def model(preset: Preset) -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((preset.length,), dtype="int32"),
            # (B, T, width); with a mask of the tokens that are not 0, which the LSTM takes from it
            layers.Embedding(preset.vocabulary, preset.width, mask_zero=preset.padded, name="embedding"),
            # weights are given; Keras' own start is an orthogonal matrix, which no backend finds in bf16
            layers.LSTM(preset.hidden, recurrent_initializer="zeros", name="lstm"),  # (B, hidden)
            layers.Dense(preset.classes, name="classifier"),  # (B, classes)
        ]
    )


def loss() -> keras.losses.Loss:
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)
