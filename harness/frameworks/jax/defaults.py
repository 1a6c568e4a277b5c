"""JAX's defaults and optax', asked of the installed packages."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from harness.defaults import Answers, Default, probes
from harness.defaults.reading import absent, measured, parameter, without
from harness.frameworks import StackInfo

LAYERS = (
    "batch_norm_epsilon batch_norm_momentum batch_norm_kept batch_norm_running_variance group_norm_epsilon "
    "rms_norm_epsilon dense_kernel dense_bias convolution_kernel convolution_bias embedding lstm_kernel "
    "lstm_recurrent_kernel lstm_forget_bias lstm_gate_order lstm_gate_activation leaky_relu_layer dropout_rate "
    "dropout_scale average_pooling_at_the_edge"
)
"""Questions about them."""


def answers(info: StackInfo) -> Answers:
    """By the question's name."""
    import jax
    import jax.numpy as jnp
    import optax

    return {
        **without(LAYERS, "JAX has no layers: its user writes them"),
        "layer_norm_epsilon": partial(parameter, "jax.nn.standardize", "epsilon"),
        "adam_learning_rate": partial(parameter, "optax.adam", "learning_rate"),
        "adam_betas": lambda: measured(
            ", ".join(str(parameter("optax.adam", beta).value) for beta in ("b1", "b2")), "optax.adam(b1, b2)"
        ),
        "adam_epsilon": partial(parameter, "optax.adam", "eps"),
        "adam_first_step_epsilon": lambda: measured(
            probes.first_step_epsilon(_moved(optax.adam(1.0))), "the first step of optax.adam"
        ),
        "adam_weight_decay": lambda: absent("optax.adam does not decay: optax.adamw does"),
        "adamw_weight_decay": partial(parameter, "optax.adamw", "weight_decay"),
        "sgd_learning_rate": partial(parameter, "optax.sgd", "learning_rate"),
        "sgd_weight_decay": lambda: absent(
            "optax.sgd does not decay: its user adds optax.add_decayed_weights"
        ),
        "sgd_velocity": lambda: measured(probes.velocity(_second_step()), "two steps of optax.sgd(momentum)"),
        "rmsprop_decay": partial(parameter, "optax.rmsprop", "decay"),
        "rmsprop_epsilon": partial(parameter, "optax.rmsprop", "eps"),
        "rmsprop_smallest_divisor": lambda: measured(
            probes.smallest_divisor(_moved(optax.rmsprop(1.0))), "the first step of optax.rmsprop"
        ),
        "adagrad_initial_accumulator": partial(parameter, "optax.adagrad", "initial_accumulator_value"),
        "gelu": lambda: measured(probes.gelu_form(float(jax.nn.gelu(1.0))), "jax.nn.gelu at 1"),
        "leaky_relu_function": partial(parameter, "jax.nn.leaky_relu", "negative_slope"),
        "softmax_axis": lambda: measured(
            probes.softmax_axis(jax.nn.softmax(probes.UNEQUAL)), "jax.nn.softmax of three axes"
        ),
        "cross_entropy_input": lambda: measured(
            probes.expects(float(optax.softmax_cross_entropy(jnp.array([0.8, 0.2]), jnp.array([1.0, 0.0])))),
            "optax.softmax_cross_entropy",
        ),
        "cross_entropy_reduction": lambda: measured(
            probes.reduction(
                optax.softmax_cross_entropy_with_integer_labels(
                    jnp.zeros((2, probes.CLASSES)), jnp.array([0, 1])
                )
            ),
            "optax.softmax_cross_entropy_with_integer_labels",
        ),
        "label_smoothing": lambda: absent(
            "optax smooths labels by a function of its own, optax.smooth_labels"
        ),
        "image_layout": lambda: measured(
            probes.channels(
                jax.lax.conv(jnp.zeros((1, 3, 8, 8)), jnp.zeros((5, 3, 1, 1)), (1, 1), "SAME").shape
            ),
            "jax.lax.conv",
        ),
        "convolution_padding": partial(parameter, "jax.lax.conv", "padding"),
        "same_padding_at_stride_2": lambda: measured(
            probes.padded(
                jax.lax.conv(jnp.array(probes.COUNTED).reshape(1, 1, -1), jnp.ones((1, 1, 3)), (2,), "SAME")
            ),
            "jax.lax.conv(padding='SAME', window_strides=(2,))",
        ),
        "pooling_stride": lambda: measured(
            probes.pooling(
                jax.lax.reduce_window(jnp.zeros(4), -jnp.inf, jax.lax.max, (2,), padding="VALID").size
            ),
            "jax.lax.reduce_window(max, window_dimensions=(2,))",
        ),
        "resize_method": partial(parameter, "jax.image.resize", "method"),
        "resize_antialias": partial(parameter, "jax.image.resize", "antialias"),
        "resize_corners": lambda: measured(
            probes.corners(jax.image.resize(jnp.arange(2.0), (4,), "linear")),
            "jax.image.resize(method='linear')",
        ),
        "resize_nearest": lambda: measured(
            probes.picks(jax.image.resize(jnp.arange(5.0), (3,), "nearest")),
            "jax.image.resize(method='nearest')",
        ),
        "variance_divisor": lambda: measured(
            probes.divisor(float(jnp.var(jnp.array([0.0, 2.0])))), "jnp.var"
        ),
        "whole_number_type": lambda: _type_of(jnp.asarray(1), "jnp.asarray(1)"),
        "double_array_type": lambda: _type_of(jnp.asarray(np.zeros(1)), "jnp.asarray of a float64 array"),
        "division_type": lambda: _type_of(jnp.asarray(7) / jnp.asarray(2), "jnp.asarray(7) / jnp.asarray(2)"),
        "mixed_type": lambda: _type_of(jnp.ones(1, jnp.int32) + jnp.ones(1), "int32 + float32"),
        **numerics(),
    }


def numerics() -> Answers:
    """What Keras on JAX shares with it."""
    import jax

    return {
        "product_tf32": _precision,
        "convolution_tf32": _precision,
        "subnormals": lambda: measured(
            probes.subnormals(jax.numpy.asarray(probes.SMALL) * 0.5), "a product of JAX's"
        ),
    }


def _precision() -> Default:
    import jax

    declared = jax.config.jax_default_matmul_precision
    return measured(
        "left to the device" if declared is None else str(declared), "jax.config.jax_default_matmul_precision"
    )


def _moved(optimizer: Any) -> Callable[[float], float]:
    import jax.numpy as jnp

    def moved(gradient: float) -> float:
        weight = jnp.zeros(1)
        update, _ = optimizer.update(jnp.full(1, gradient), optimizer.init(weight), weight)
        return -float(update[0])

    return moved


def _second_step() -> float:
    import jax.numpy as jnp
    import optax

    optimizer = optax.sgd(lambda step: 1.0 - step, momentum=probes.MOMENTUM)  # the second step has rate 0
    weight = jnp.zeros(1)
    _, state = optimizer.update(jnp.ones(1), optimizer.init(weight), weight)
    update, _ = optimizer.update(jnp.zeros(1), state, weight)
    return float(update[0])


def _type_of(array: Any, by: str) -> Default:
    return measured(array.dtype.name, by)
