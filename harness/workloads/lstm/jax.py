"""lstm in JAX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import Array, lax

from harness.workloads.lstm.spec import Preset

State = tuple[Array, Array]  # h and c, (B, hidden)


def lstm(layer: Any, x: Array, there: Array | None) -> Array:  # (B, T, width) and (B, T) -> (B, hidden)
    def cell(state: State, step: tuple[Array, Array | None]) -> tuple[State, None]:
        (h, c), (token, now) = state, step  # (B, hidden) each; (B, width), (B,)
        # for XLA's CPU, faster than x @ kernel of all tokens before the loop; Flax' cells have it here too
        gates = token @ layer["kernel"] + h @ layer["recurrent_kernel"] + layer["bias"]  # (B, 4 hidden)
        i, f, g, o = jnp.split(gates.astype(x.dtype), 4, axis=-1)  # (B, hidden) each
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        if now is not None:  # after a sequence's last token its state stays
            h, c = jnp.where(now[:, None], h, state[0]), jnp.where(now[:, None], c, state[1])
        return (h, c), None

    zero = jnp.zeros((x.shape[0], len(layer["recurrent_kernel"])), x.dtype)
    steps = x.swapaxes(0, 1), None if there is None else there.T  # over T
    (h, _), _ = lax.scan(cell, (zero, zero), steps)
    return h


def model(preset: Preset) -> Callable[..., Array]:
    def apply(params: Any, tokens: Array) -> Array:  # (B, T)
        there = tokens != 0 if preset.padded else None
        h = lstm(params["lstm"], params["embedding"]["embeddings"][tokens], there)
        return h @ params["classifier"]["kernel"] + params["classifier"]["bias"]  # (B, classes)

    return apply


def loss(model: Callable[..., Array], params: Any, tokens: Array, label: Array) -> Array:
    return optax.softmax_cross_entropy_with_integer_labels(model(params, tokens), label).mean()
