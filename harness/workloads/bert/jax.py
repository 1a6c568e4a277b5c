"""bert in JAX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import Array
from jax.nn import gelu

from harness.workloads.bert.spec import Preset
from harness.workloads.gpt import jax as gpt
from harness.workloads.gpt.jax import dense, layer_norm


def attention(q: Array, k: Array, v: Array, mask: Array) -> Array:  # (B, T, H, D) each, (B, 1, 1, T)
    if (
        q.dtype == jnp.bfloat16 and jax.default_backend() == "gpu"
    ):  # what cuDNN's kernel takes; JAX must be asked for it
        return jax.nn.dot_product_attention(q, k, v, mask=mask, implementation="cudnn")
    return gpt.attention(q, k, v, mask)


def model(preset: Preset) -> Callable[..., Array]:
    def block(x: Array, layer: Any, mask: Array) -> Array:
        B, T, C = x.shape
        qkv = dense(x, layer["qkv"]).reshape(B, T, 3, preset.heads, -1)
        q, k, v = jnp.unstack(qkv, axis=2)  # (B, T, H, D) each
        y = dense(attention(q, k, v, mask).reshape(B, T, C), layer["proj"])
        x = layer_norm(x + y, layer["ln1"], preset.epsilon)
        h = gelu(dense(x, layer["fc"]), approximate=False)
        return layer_norm(x + dense(h, layer["out"]), layer["ln2"], preset.epsilon)  # (B, T, C)

    def apply(params: Any, tokens: Array, mask: Array) -> Array:  # (B, T) each -> (B, classes)
        embeddings, positions = (params[f"{name}_embedding"]["embeddings"] for name in ("token", "position"))
        x = embeddings[tokens] + positions[: tokens.shape[1]]  # (B, T, C)
        x = layer_norm(x, params["ln_embedding"], preset.epsilon)
        there = mask.astype(bool)[:, None, None]  # (B, 1, 1, T)
        for layer in params["blocks"]:
            x = block(x, layer, there)
        return dense(jnp.tanh(dense(x[:, 0], params["pooler"])), params["classifier"])

    return apply


def loss(model: Callable[..., Array], params: Any, tokens: Array, mask: Array, label: Array) -> Array:
    return optax.softmax_cross_entropy_with_integer_labels(model(params, tokens, mask), label).mean()
