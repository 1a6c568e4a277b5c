"""input_pipeline in TensorFlow: ``tf.data``."""

from __future__ import annotations

import tensorflow as tf

from harness.workloads.input_pipeline.spec import Epoch, Preset
from harness.workloads.resnet50.tensorflow import UNBIASED_VARIANCE, loss, model

__all__ = ["UNBIASED_VARIANCE", "load", "loss", "model"]


def load(epoch: Epoch, preset: Preset, batch: int, workers: int) -> tf.data.Dataset:
    """Batches (B, S, S, 3) and (B,); ``tf.data`` chooses how many it makes at a time."""

    def example(
        path: tf.Tensor, label: tf.Tensor, row: tf.Tensor, column: tf.Tensor, mirrored: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        image = tf.io.decode_bmp(tf.io.read_file(path), channels=3)  # (stored, stored, 3), uint8
        image = tf.slice(image, (row, column, 0), (preset.size, preset.size, 3))
        image = tf.cond(mirrored, lambda: image[:, ::-1], lambda: image)
        return tf.cast(image, tf.float32) / 128 - 1, label

    examples = tf.data.Dataset.from_tensor_slices(tuple(epoch))
    batches = examples.map(example, num_parallel_calls=tf.data.AUTOTUNE).batch(batch, drop_remainder=True)
    return batches.prefetch(tf.data.AUTOTUNE)
