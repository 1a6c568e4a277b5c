"""Keras' defaults, asked of the installed package on the backend that runs it."""

from __future__ import annotations

import importlib
import random
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from harness.defaults import Answers, Default, probes
from harness.defaults.reading import measured, parameter
from harness.frameworks import StackInfo

layers, optimizers = "keras.layers", "keras.optimizers"


def answers(info: StackInfo) -> Answers:
    """By the question's name."""
    import keras

    random.seed(1)  # Keras draws its seeds here
    host = keras.ops.convert_to_numpy
    backend = importlib.import_module(f"harness.frameworks.{info.backend}.defaults")
    return {
        "batch_norm_epsilon": partial(parameter, f"{layers}.BatchNormalization", "epsilon"),
        "batch_norm_momentum": partial(parameter, f"{layers}.BatchNormalization", "momentum"),
        "batch_norm_kept": lambda: measured(
            _running_statistics()[0], "a training step of keras.layers.BatchNormalization"
        ),
        "batch_norm_running_variance": lambda: measured(
            _running_statistics()[1], "a training step of keras.layers.BatchNormalization"
        ),
        "layer_norm_epsilon": partial(parameter, f"{layers}.LayerNormalization", "epsilon"),
        "group_norm_epsilon": partial(parameter, f"{layers}.GroupNormalization", "epsilon"),
        "rms_norm_epsilon": lambda: measured(
            probes.epsilon_under_root(lambda values: host(keras.layers.RMSNormalization()(values))),
            "keras.layers.RMSNormalization of small values",
        ),
        "adam_learning_rate": partial(parameter, f"{optimizers}.Adam", "learning_rate"),
        "adam_betas": lambda: measured(
            ", ".join(str(parameter(f"{optimizers}.Adam", beta).value) for beta in ("beta_1", "beta_2")),
            "keras.optimizers.Adam(beta_1, beta_2)",
        ),
        "adam_epsilon": partial(parameter, f"{optimizers}.Adam", "epsilon"),
        "adam_first_step_epsilon": lambda: measured(
            probes.first_step_epsilon(_moved(keras.optimizers.Adam)),
            "the first step of keras.optimizers.Adam",
        ),
        "adam_weight_decay": lambda: measured(
            probes.adam_decay(_decayed(keras.optimizers.Adam, 1)),
            "keras.optimizers.Adam(weight_decay) without a gradient",
        ),
        "adamw_weight_decay": partial(parameter, f"{optimizers}.AdamW", "weight_decay"),
        "sgd_learning_rate": partial(parameter, f"{optimizers}.SGD", "learning_rate"),
        "sgd_weight_decay": lambda: measured(
            probes.sgd_decay(_decayed(keras.optimizers.SGD, 2, momentum=probes.MOMENTUM)),
            "keras.optimizers.SGD(weight_decay, momentum) without a gradient",
        ),
        "sgd_velocity": lambda: measured(
            probes.velocity(_second_step()), "two steps of keras.optimizers.SGD(momentum)"
        ),
        "rmsprop_decay": partial(parameter, f"{optimizers}.RMSprop", "rho"),
        "rmsprop_epsilon": partial(parameter, f"{optimizers}.RMSprop", "epsilon"),
        "rmsprop_smallest_divisor": lambda: measured(
            probes.smallest_divisor(_moved(keras.optimizers.RMSprop)),
            "the first step of keras.optimizers.RMSprop",
        ),
        "adagrad_initial_accumulator": partial(
            parameter, f"{optimizers}.Adagrad", "initial_accumulator_value"
        ),
        "dense_kernel": lambda: _drawn(keras.layers.Dense(256), (1, 1024), 0),
        "dense_bias": lambda: _drawn(keras.layers.Dense(256), (1, 1024), 1),
        "convolution_kernel": lambda: _drawn(keras.layers.Conv2D(128, 3), (1, 8, 8, 64), 0),
        "convolution_bias": lambda: _drawn(keras.layers.Conv2D(128, 3), (1, 8, 8, 64), 1),
        "embedding": lambda: _drawn(keras.layers.Embedding(1024, 256), (1, 1), 0),
        "lstm_kernel": lambda: _drawn(keras.layers.LSTM(256), (1, 1, 256), 0),
        "lstm_recurrent_kernel": lambda: _drawn(keras.layers.LSTM(256), (1, 1, 256), 1),
        "lstm_forget_bias": _forget_bias,
        "lstm_gate_order": lambda: measured(probes.gate_order(_lstm_step), "steps of keras.layers.LSTMCell"),
        "lstm_gate_activation": lambda: measured(
            probes.gate_activation(_lstm_step), "a step of keras.layers.LSTMCell"
        ),
        "gelu": lambda: measured(
            probes.gelu_form(float(host(keras.activations.gelu(keras.ops.convert_to_tensor(1.0))))),
            "keras.activations.gelu at 1",
        ),
        "leaky_relu_layer": partial(parameter, f"{layers}.LeakyReLU", "negative_slope"),
        "leaky_relu_function": partial(parameter, "keras.activations.leaky_relu", "negative_slope"),
        "softmax_axis": lambda: measured(
            probes.softmax_axis(host(keras.ops.softmax(probes.UNEQUAL))), "keras.ops.softmax of three axes"
        ),
        "dropout_rate": partial(parameter, f"{layers}.Dropout", "rate"),
        "dropout_scale": lambda: measured(
            float(host(keras.layers.Dropout(0.5)(np.ones((1, 1000), np.float32), training=True)).max()),
            "keras.layers.Dropout of ones",
        ),
        "cross_entropy_input": lambda: measured(
            probes.expects(_cross_entropy([[0.8, 0.2]], [0])), "keras.losses.SparseCategoricalCrossentropy"
        ),
        "cross_entropy_reduction": lambda: measured(
            probes.reduction(_cross_entropy([[1 / probes.CLASSES] * probes.CLASSES] * 2, [0, 1])),
            "keras.losses.SparseCategoricalCrossentropy",
        ),
        "label_smoothing": partial(parameter, "keras.losses.CategoricalCrossentropy", "label_smoothing"),
        "image_layout": lambda: measured(
            probes.channels(tuple(keras.layers.Conv2D(5, 1)(np.zeros((1, 8, 8, 3), np.float32)).shape)),
            "keras.layers.Conv2D",
        ),
        "convolution_padding": lambda: measured(
            probes.padding(keras.layers.Conv1D(1, 3)(np.zeros((1, 8, 1), np.float32)).shape[1]),
            "keras.layers.Conv1D",
        ),
        "same_padding_at_stride_2": lambda: measured(
            probes.padded(
                host(
                    keras.ops.conv(
                        np.array(probes.COUNTED, np.float32).reshape(1, -1, 1),
                        np.ones((3, 1, 1), np.float32),
                        strides=2,
                        padding="same",
                    )
                )
            ),
            "keras.ops.conv(padding='same', strides=2)",
        ),
        "pooling_stride": lambda: measured(
            probes.pooling(keras.layers.MaxPooling1D(2)(np.zeros((1, 4, 1), np.float32)).shape[1]),
            "keras.layers.MaxPooling1D",
        ),
        "average_pooling_at_the_edge": lambda: measured(
            probes.at_the_edge(
                float(
                    host(keras.layers.AveragePooling1D(2, padding="same")(np.ones((1, 3, 1), np.float32)))[
                        0, -1, 0
                    ]
                )
            ),
            "keras.layers.AveragePooling1D(padding='same') of ones",
        ),
        "resize_method": partial(parameter, "keras.ops.image.resize", "interpolation"),
        "resize_antialias": partial(parameter, "keras.ops.image.resize", "antialias"),
        "resize_corners": lambda: measured(
            probes.corners(_resized([0.0, 1.0], 4, "bilinear")),
            "keras.ops.image.resize(interpolation='bilinear')",
        ),
        "resize_nearest": lambda: measured(
            probes.picks(_resized(range(5), 3, "nearest")), "keras.ops.image.resize(interpolation='nearest')"
        ),
        "variance_divisor": lambda: measured(
            probes.divisor(float(host(keras.ops.var(np.array([0.0, 2.0], np.float32))))), "keras.ops.var"
        ),
        "whole_number_type": lambda: _type_of(
            keras.ops.convert_to_tensor(1), "keras.ops.convert_to_tensor(1)"
        ),
        "double_array_type": lambda: _type_of(
            keras.ops.convert_to_tensor(np.zeros(1)), "keras.ops.convert_to_tensor of a float64 array"
        ),
        "division_type": lambda: _type_of(
            keras.ops.divide(keras.ops.convert_to_tensor(7), keras.ops.convert_to_tensor(2)),
            "keras.ops.divide(7, 2)",
        ),
        "mixed_type": lambda: _type_of(
            keras.ops.add(keras.ops.ones(1, "int32"), keras.ops.ones(1)), "int32 + float32"
        ),
        **backend.numerics(),
    }


def _running_statistics() -> tuple[float, str]:
    import keras

    layer = keras.layers.BatchNormalization()
    layer(np.array([[0.0], [2.0]], np.float32), training=True)
    mean, variance = (float(keras.ops.convert_to_numpy(kept)[0]) for kept in layer.non_trainable_variables)
    return probes.running_statistics(mean, variance)


def _moved(optimizer: Any) -> Callable[[float], float]:
    import keras

    def moved(gradient: float) -> float:
        weight = keras.Variable([0.0])
        optimizer(learning_rate=1.0).apply([keras.ops.convert_to_tensor([gradient])], [weight])
        return -float(keras.ops.convert_to_numpy(weight)[0])

    return moved


def _decayed(optimizer: Any, steps: int, **options: float) -> float:
    import keras

    weight = keras.Variable([1.0])
    made = optimizer(learning_rate=probes.RATE, weight_decay=probes.DECAY, **options)
    for _ in range(steps):
        made.apply([keras.ops.zeros(1)], [weight])
    return float(keras.ops.convert_to_numpy(weight)[0])


def _second_step() -> float:
    import keras

    weight = keras.Variable([0.0])
    made = keras.optimizers.SGD(learning_rate=1.0, momentum=probes.MOMENTUM)
    made.apply([keras.ops.ones(1)], [weight])
    before = float(keras.ops.convert_to_numpy(weight)[0])
    made.learning_rate = 0.0
    made.apply([keras.ops.zeros(1)], [weight])
    return float(keras.ops.convert_to_numpy(weight)[0]) - before


def _drawn(layer: Any, shape: tuple[int, ...], number: int) -> Default:
    """The initial values of a layer's weight, by its place in the layer's list."""
    import keras

    layer.build(shape)
    weight = keras.ops.convert_to_numpy(layer.weights[number])
    values = weight.ravel() if weight.ndim > 2 else weight
    return measured(probes.distribution(values), f"a new keras.layers.{type(layer).__name__}")


def _forget_bias() -> Default:
    import keras

    cell, block = keras.layers.LSTMCell(1024), probes.gate_order(_lstm_step).split(", ").index("forget")
    cell.build((1, 1))
    biases = keras.ops.convert_to_numpy(cell.bias).reshape(4, -1)
    return measured(probes.distribution(biases[block]), "the bias of a new keras.layers.LSTM")


def _lstm_step(block: int, bias: float, memory: float) -> tuple[float, float]:
    import keras

    cell = keras.layers.LSTMCell(1)
    cell.build((1, 1))
    for weight in cell.weights:
        weight.assign(np.zeros(weight.shape))
    cell.bias.assign(np.eye(4)[block] * bias)
    states = [np.zeros((1, 1), np.float32), np.full((1, 1), memory, np.float32)]
    output, (_, after) = cell(np.zeros((1, 1), np.float32), states)
    return float(keras.ops.convert_to_numpy(after)[0, 0]), float(keras.ops.convert_to_numpy(output)[0, 0])


def _cross_entropy(predictions: list[list[float]], labels: list[int]) -> Any:
    import keras

    loss = keras.losses.SparseCategoricalCrossentropy()
    return keras.ops.convert_to_numpy(loss(np.array(labels), np.array(predictions, np.float32)))


def _resized(values: Any, size: int, method: str) -> Any:
    import keras

    row = np.array([*values], np.float32).reshape(1, 1, -1, 1)
    return keras.ops.convert_to_numpy(keras.ops.image.resize(row, (1, size), interpolation=method))


def _type_of(tensor: Any, by: str) -> Default:
    import keras

    return measured(keras.backend.standardize_dtype(tensor.dtype), by)
