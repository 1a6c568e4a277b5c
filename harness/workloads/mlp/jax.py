"""mlp in JAX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import optax
from jax import Array

from harness.workloads.mlp.spec import Preset


def model(preset: Preset) -> Callable[..., Array]:
    activation = jax.nn.silu if preset.smooth else jax.nn.relu

    def apply(params: Any, image: Array) -> Array:  # (B, 8, 8)
        x = image.reshape(image.shape[0], -1)  # (B, 64), row by row
        *hidden, last = params["dense"]
        for layer in hidden:
            x = activation(x @ layer["kernel"] + layer["bias"]).astype(x.dtype)  # (B, width)
        return x @ last["kernel"] + last["bias"]  # (B, classes)

    return apply


def loss(model: Callable[..., Array], params: Any, image: Array, label: Array) -> Array:
    return optax.softmax_cross_entropy_with_integer_labels(model(params, image), label).mean()
