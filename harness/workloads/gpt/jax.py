"""gpt in JAX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import Array, lax

from harness.workloads.gpt.spec import Preset

Cache = list[tuple[Array, Array]]  # keys and values of each layer, (B, context, H, D)
Model = Callable[..., tuple[Array, Cache]]


def wide(x: Array) -> Any:
    """The type for sums: fp32 for bf16."""
    return jnp.promote_types(x.dtype, jnp.float32)


def layer_norm(x: Array, layer: Any, epsilon: float) -> Array:
    normed = jax.nn.standardize(x.astype(wide(x)), epsilon=epsilon)
    return (normed * layer["gamma"] + layer["beta"]).astype(x.dtype)


def dense(x: Array, layer: Any) -> Array:
    return (x @ layer["kernel"] + layer["bias"]).astype(x.dtype)


def attention(q: Array, k: Array, v: Array, mask: Array | None) -> Array:  # (B, T, H, D); k, v: (B, S, H, D)
    if (
        mask is None and q.dtype == jnp.bfloat16 and jax.default_backend() == "gpu"
    ):  # what cuDNN's kernel takes
        return jax.nn.dot_product_attention(q, k, v, is_causal=True, implementation="cudnn")
    mask = jnp.tri(q.shape[1], dtype=bool) if mask is None else mask
    scores = jnp.einsum("bthd,bshd->bhts", q, k, preferred_element_type=wide(q)) / q.shape[-1] ** 0.5
    weights = jax.nn.softmax(jnp.where(mask, scores, -jnp.inf))  # (B, H, T, S)
    return jnp.einsum("bhts,bshd->bthd", weights.astype(v.dtype), v)


def model(preset: Preset) -> Model:
    def block(x: Array, layer: Any, start: Any, cache: Any, mask: Array | None) -> tuple[Array, Any]:
        B, T, C = x.shape
        qkv = dense(layer_norm(x, layer["ln1"], preset.epsilon), layer["qkv"])  # (B, T, 3C)
        q, k, v = jnp.unstack(qkv.reshape(B, T, 3, preset.heads, -1), axis=2)  # (B, T, H, D) each
        if cache is not None:
            keys, values = cache
            cache = (
                lax.dynamic_update_slice_in_dim(keys, k, start, axis=1),
                lax.dynamic_update_slice_in_dim(values, v, start, axis=1),
            )
            if mask is not None:  # to all that is cached, not only to this call's own
                k, v = cache  # (B, context, H, D)
        x = x + dense(attention(q, k, v, mask).reshape(B, T, C), layer["proj"])
        h = jax.nn.gelu(dense(layer_norm(x, layer["ln2"], preset.epsilon), layer["fc"]), approximate=True)
        return x + dense(h, layer["out"]), cache  # (B, T, C)

    def apply(
        params: Any, tokens: Array, start: Any = 0, cache: Cache | None = None, mask: Array | None = None
    ) -> tuple[Array, Cache]:  # (B, T) -> (B, T, V), from a cache the last position's (B, V)
        embeddings, positions = (params[f"{name}_embedding"]["embeddings"] for name in ("token", "position"))
        x = embeddings[tokens] + lax.dynamic_slice_in_dim(positions, start, tokens.shape[1])  # (B, T, C)
        new = []
        for index, layer in enumerate(params["blocks"]):
            x, one = block(x, layer, start, cache[index] if cache else None, mask)
            new.append(one)
        x = layer_norm(x if cache is None else x[:, -1], params["ln_final"], preset.epsilon)
        return x @ embeddings.T, new

    return apply


def loss(model: Model, params: Any, tokens: Array, targets: Array) -> Array:
    logits, _ = model(params, tokens)  # (B, T, V)
    return optax.softmax_cross_entropy_with_integer_labels(logits, targets).mean()


def empty_cache(preset: Preset, batch: int, dtype: Any) -> Cache:
    shape = (batch, preset.context, preset.heads, preset.width // preset.heads)
    return [(jnp.zeros(shape, dtype), jnp.zeros(shape, dtype)) for _ in range(preset.layers)]


def prefill(
    model: Model, params: Any, cache: Cache, prompt: Array
) -> tuple[Array, Cache]:  # (B, P) -> (B, V)
    return model(params, prompt, cache=cache)


def decode(
    model: Model, params: Any, cache: Cache, token: Array, position: Array
) -> tuple[Array, Cache]:  # (B,), () -> (B, V)
    mask = jnp.arange(cache[0][0].shape[1]) <= position  # (context,)
    return model(params, token[:, None], position, cache, mask)
