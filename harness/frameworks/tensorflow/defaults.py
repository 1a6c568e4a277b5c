"""TensorFlow's defaults, asked of the installed package: its functions, because its layers are Keras'."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from harness.defaults import Answers, Default, probes
from harness.defaults.reading import absent, measured, parameter, without
from harness.frameworks import StackInfo

KERAS = (
    "batch_norm_momentum batch_norm_kept batch_norm_running_variance layer_norm_epsilon group_norm_epsilon "
    "rms_norm_epsilon adam_learning_rate adam_betas adam_epsilon adam_first_step_epsilon adam_weight_decay "
    "adamw_weight_decay sgd_learning_rate sgd_weight_decay sgd_velocity rmsprop_decay rmsprop_epsilon "
    "rmsprop_smallest_divisor adagrad_initial_accumulator dense_kernel dense_bias convolution_kernel "
    "convolution_bias embedding lstm_kernel lstm_recurrent_kernel lstm_forget_bias lstm_gate_order "
    "lstm_gate_activation leaky_relu_layer"
)
"""Questions about layers and optimizers."""


def answers(info: StackInfo) -> Answers:
    """By the question's name."""
    import tensorflow as tf

    layers = tf.keras.layers.Layer.__module__.partition(".")[0]
    return {
        **without(KERAS, f"tf.keras is the package {layers}: see Keras on TensorFlow"),
        "batch_norm_epsilon": partial(parameter, "tensorflow.nn.batch_normalization", "variance_epsilon"),
        "gelu": lambda: measured(probes.gelu_form(float(tf.nn.gelu(1.0))), "tf.nn.gelu at 1"),
        "leaky_relu_function": partial(parameter, "tensorflow.nn.leaky_relu", "alpha"),
        "softmax_axis": lambda: measured(
            probes.softmax_axis(tf.nn.softmax(probes.UNEQUAL)), "tf.nn.softmax of three axes"
        ),
        "dropout_rate": partial(parameter, "tensorflow.nn.dropout", "rate"),
        "dropout_scale": lambda: measured(
            float(tf.reduce_max(tf.nn.dropout(tf.ones(1000), 0.5))), "tf.nn.dropout of ones"
        ),
        "cross_entropy_input": lambda: measured(
            probes.expects(float(tf.nn.softmax_cross_entropy_with_logits([[1.0, 0.0]], [[0.8, 0.2]])[0])),
            "tf.nn.softmax_cross_entropy_with_logits",
        ),
        "cross_entropy_reduction": lambda: measured(
            probes.reduction(
                tf.nn.sparse_softmax_cross_entropy_with_logits([0, 1], tf.zeros((2, probes.CLASSES)))
            ),
            "tf.nn.sparse_softmax_cross_entropy_with_logits",
        ),
        "label_smoothing": lambda: absent("the losses of tf.nn do not smooth labels"),
        "image_layout": lambda: measured(
            probes.channels(
                tf.nn.conv2d(tf.zeros((1, 8, 8, 3)), tf.zeros((1, 1, 3, 5)), strides=1, padding="SAME").shape
            ),
            "tf.nn.conv2d",
        ),
        "convolution_padding": partial(parameter, "tensorflow.nn.conv2d", "padding"),
        "same_padding_at_stride_2": lambda: measured(
            probes.padded(
                tf.nn.conv1d(
                    tf.reshape(tf.constant(probes.COUNTED), (1, -1, 1)), tf.ones((3, 1, 1)), 2, padding="SAME"
                )
            ),
            "tf.nn.conv1d(padding='SAME', stride=2)",
        ),
        "pooling_stride": partial(parameter, "tensorflow.nn.max_pool1d", "strides"),
        "average_pooling_at_the_edge": lambda: measured(
            probes.at_the_edge(float(tf.nn.avg_pool1d(tf.ones((1, 3, 1)), 2, 2, "SAME")[0, -1, 0])),
            "tf.nn.avg_pool1d(padding='SAME') of ones",
        ),
        "resize_method": partial(parameter, "tensorflow.image.resize", "method"),
        "resize_antialias": partial(parameter, "tensorflow.image.resize", "antialias"),
        "resize_corners": lambda: measured(
            probes.corners(_resized([0.0, 1.0], 4, "bilinear")), "tf.image.resize(method='bilinear')"
        ),
        "resize_nearest": lambda: measured(
            probes.picks(_resized(range(5), 3, "nearest")), "tf.image.resize(method='nearest')"
        ),
        "variance_divisor": lambda: measured(
            probes.divisor(float(tf.math.reduce_variance([0.0, 2.0]))), "tf.math.reduce_variance"
        ),
        "whole_number_type": lambda: _type_of(tf.constant(1), "tf.constant(1)"),
        "double_array_type": lambda: _type_of(tf.constant(np.zeros(1)), "tf.constant of a float64 array"),
        "division_type": lambda: _type_of(tf.constant(7) / tf.constant(2), "tf.constant(7) / tf.constant(2)"),
        "mixed_type": _mixed_type,
        **numerics(),
    }


def numerics() -> Answers:
    """What Keras on TensorFlow shares with it."""
    import tensorflow as tf

    enabled = tf.config.experimental.tensor_float_32_execution_enabled
    by = "tf.config.experimental.tensor_float_32_execution_enabled()"
    return {
        "product_tf32": lambda: measured("yes" if enabled() else "no", by),
        "convolution_tf32": lambda: measured("yes" if enabled() else "no", by),
        "subnormals": lambda: measured(
            probes.subnormals(tf.constant(probes.SMALL) * 0.5), "a product of TensorFlow's"
        ),
    }


def _resized(values: Any, size: int, method: str) -> Any:
    import tensorflow as tf

    row = tf.reshape(tf.constant([*values], tf.float32), (1, 1, -1, 1))
    return tf.image.resize(row, (1, size), method=method)


def _type_of(tensor: Any, by: str) -> Default:
    return measured(tensor.dtype.name, by)


def _mixed_type() -> Default:
    import tensorflow as tf

    try:
        return _type_of(tf.ones(1, tf.int32) + tf.ones(1), "int32 + float32")
    except (tf.errors.InvalidArgumentError, TypeError):
        return measured("refused", "int32 + float32")
