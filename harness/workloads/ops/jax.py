"""ops in JAX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

from harness.workloads.gpt.jax import wide
from harness.workloads.ops.spec import Preset


def conv2d(params: Any, image: Array) -> Array:  # (B, S, S, C)
    return lax.conv_general_dilated(
        image, params["layer"]["kernel"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def layer_norm(params: Any, x: Array, epsilon: float) -> Array:  # (B, width)
    layer = params["layer"]
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return ((x - mean) * lax.rsqrt(variance + epsilon) * layer["gamma"] + layer["beta"]).astype(x.dtype)


def attention(q: Array, k: Array, v: Array, heads: int) -> Array:  # (B, T, width) each
    q, k, v = (x.reshape(*x.shape[:2], heads, -1) for x in (q, k, v))  # (B, T, heads, d)
    if q.dtype == jnp.bfloat16 and jax.default_backend() == "gpu":  # what cuDNN's kernel takes
        mixed = jax.nn.dot_product_attention(q, k, v, implementation="cudnn")
    else:  # in parts, as that function does it, which rounds float64 to fp32 on the way
        scores = jnp.einsum("bthd,bshd->bhts", q, k, preferred_element_type=wide(q)) / q.shape[-1] ** 0.5
        mixed = jnp.einsum("bhts,bshd->bthd", jax.nn.softmax(scores).astype(v.dtype), v)
    return mixed.reshape(*q.shape[:2], -1)  # (B, T, width)


def elementwise(x: Array) -> Array:
    return (x * jnp.tanh(x) + 0.5) * jax.nn.sigmoid(x) - x * x / 4


def model(preset: Preset) -> Callable[..., Array]:
    match preset.operation:
        case "matmul":
            return lambda params, x, y: x @ y  # (B, width), (width, width)
        case "conv2d":
            return conv2d
        case "attention":
            return lambda params, q, k, v: attention(q, k, v, preset.heads)
        case "layer_norm":
            return lambda params, x: layer_norm(params, x, preset.epsilon)
        case "softmax":
            return lambda params, x: jax.nn.softmax(x)
        case "elementwise":
            return lambda params, x: elementwise(x)
        case "embedding":
            return lambda params, tokens: params["layer"]["embeddings"][tokens]  # (B, width)
        case "sort":
            return lambda params, x: jnp.sort(x)
        case "top_k":
            return lambda params, x: lax.top_k(x, preset.kept)[0]
        case "sum":
            return lambda params, x: x.sum(-1)
        case "gather":
            return lambda params, x, index: jnp.take_along_axis(x, index, -1)
