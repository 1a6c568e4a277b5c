"""Keras' own ``fit`` and ``predict``, called from outside: what Keras' users run.

One ``run(n)`` is one ``fit(..., steps_per_epoch=n, epochs=1, verbose=0)`` without callbacks, or one
``predict(..., steps=n)``. Both end with a read-back of their result, by themselves.

Batches are the backend's own tensors, made once; no step converts or copies them. TensorFlow's ``fit`` takes a
``tf.data.Dataset`` of slices of one tensor, PyTorch's and JAX's an endless ``keras.utils.PyDataset``.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """The ready batches from ``start`` on, without end."""

    num_batches = None

    def __init__(self, batches: list[tuple[Any, ...]], start: int) -> None:
        super().__init__(workers=1, use_multiprocessing=False)
        self.batches, self.start = batches, start

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        return self.batches[(self.start + index) % len(self.batches)]


class Loop:
    """``fit`` or ``predict`` over ready batches; ``taken`` counts what they went through."""

    def __init__(self, model: keras.Model, training: bool, batch: int) -> None:
        self.model, self.training, self.batch = model, training, batch
        self.taken = 0

    def feed(self, batches: list[tuple[Any, ...]], start: tuple[Any, ...]) -> None:
        self.batches = batches

    def dataset(self, count: int) -> Any:
        """What the next ``count`` steps go through."""
        return Batches(self.batches, self.taken)

    def run(self, n: int) -> Any:
        if self.training:
            history = self.model.fit(self.dataset(n), steps_per_epoch=n, epochs=1, verbose=0, shuffle=False)
            self.taken += n
            return np.asarray(history.history["loss"][-1])  # a float: fit waits for it
        outputs = self.model.predict(self.dataset(n), steps=n, verbose=0)  # (n * B, ...) each, on the host
        self.taken += len(keras.tree.flatten(outputs)[0]) // self.batch
        return keras.tree.map_structure(lambda output: output[-self.batch :], outputs)

    def rewind(self) -> None:
        self.taken = 0

    def synchronize(self) -> None:
        """``fit`` leaves the model's variables as they should be."""


class TensorFlowLoop(Loop):
    """The same over ``tf.data``."""

    def __init__(self, model: keras.Model, training: bool, batch: int, on_gpu: bool) -> None:
        super().__init__(model, training, batch)
        self.on_gpu = on_gpu

    def feed(self, batches: list[tuple[Any, ...]], start: tuple[Any, ...]) -> None:
        import tensorflow as tf

        slices = keras.tree.map_structure(lambda *parts: tf.stack(parts), *batches)
        self.start, self.count = tf.Variable(0, dtype=tf.int64), len(batches)

        def from_start(_: Any) -> tf.data.Dataset:
            return tf.data.Dataset.from_tensor_slices(slices).repeat().skip(self.start)

        self.slices = tf.data.Dataset.from_tensors(0).flat_map(from_start)
        if self.on_gpu:
            self.slices = self.slices.apply(tf.data.experimental.prefetch_to_device("/GPU:0"))

    def dataset(self, count: int) -> Any:
        self.start.assign(self.taken % self.count)
        return self.slices
