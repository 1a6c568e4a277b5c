"""convstack in JAX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import optax
from jax import Array, lax

from harness.workloads.convstack.spec import Preset

WINDOW = (1, 2, 2, 1)


def conv(x: Array, layer: Any) -> Array:
    y = lax.conv_general_dilated(
        x, layer["kernel"], (1, 1), padding=((1, 1), (1, 1)), dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    return (y + layer["bias"]).astype(x.dtype)


def max_pool(x: Array) -> Array:
    return lax.reduce_window(x, -jnp.inf, lax.max, WINDOW, WINDOW, "VALID")


def average_pool(x: Array) -> Array:
    return lax.reduce_window(x, 0.0, lax.add, WINDOW, WINDOW, "VALID") / 4


def model(preset: Preset) -> Callable[..., Array]:
    pool = average_pool if preset.smooth else max_pool

    def apply(params: Any, image: Array) -> Array:  # (B, S, S, 3)
        x = image
        for layer in params["convs"]:
            x = pool(conv(x, layer))  # (B, S / 2^k, S / 2^k, C)
        x = x.reshape(x.shape[0], -1)  # (B, features), in the order H, W, C
        return x @ params["classifier"]["kernel"] + params["classifier"]["bias"]  # (B, classes)

    return apply


def loss(model: Callable[..., Array], params: Any, image: Array, label: Array) -> Array:
    return optax.softmax_cross_entropy_with_integer_labels(model(params, image), label).mean()
