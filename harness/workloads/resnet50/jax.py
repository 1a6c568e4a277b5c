"""resnet50 in JAX: moving statistics go in beside the parameters and come out anew."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import Array, lax

from harness.workloads.resnet50.spec import Preset

Model = Callable[..., tuple[Array, Any]]
WINDOW, STRIDES, PADDING = (1, 3, 3, 1), (1, 2, 2, 1), ((0, 0), (1, 1), (1, 1), (0, 0))


def conv(x: Array, layer: Any, stride: int = 1) -> Array:
    pad = layer["kernel"].shape[0] // 2
    return lax.conv_general_dilated(
        x,
        layer["kernel"],
        (stride, stride),
        padding=((pad, pad), (pad, pad)),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


def batch_norm(x: Array, layer: Any, moving: Any, preset: Preset, training: bool) -> tuple[Array, Any]:
    wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))  # (B, H, W, C)
    mean, variance = moving["moving_mean"], moving["moving_variance"]
    if training:
        mean = wide.mean((0, 1, 2))
        variance = jnp.maximum(0.0, jnp.square(wide).mean((0, 1, 2)) - jnp.square(mean))
        batch = {"moving_mean": mean, "moving_variance": variance}
        moving = jax.tree.map(
            lambda old, new: preset.momentum * old + (1 - preset.momentum) * new, moving, batch
        )
    y = (wide - mean) * (layer["gamma"] * lax.rsqrt(variance + preset.epsilon)) + layer["beta"]
    return y.astype(x.dtype), moving


def max_pool(x: Array) -> Array:
    return lax.reduce_window(x, -jnp.inf, lax.max, WINDOW, STRIDES, PADDING)


def average_pool(x: Array) -> Array:
    return lax.reduce_window(x, 0.0, lax.add, WINDOW, STRIDES, PADDING) / 9


def bottleneck(
    x: Array, layers: Any, moving: Any, stride: int, norm: Any, activation: Any
) -> tuple[Array, Any]:
    new = {}
    y, new["bn1"] = norm(conv(x, layers["conv1"]), layers["bn1"], moving["bn1"])
    y, new["bn2"] = norm(conv(activation(y), layers["conv2"], stride), layers["bn2"], moving["bn2"])
    y, new["bn3"] = norm(conv(activation(y), layers["conv3"]), layers["bn3"], moving["bn3"])
    if "shortcut_conv" in layers:
        x = conv(x, layers["shortcut_conv"], stride)
        x, new["shortcut_bn"] = norm(x, layers["shortcut_bn"], moving["shortcut_bn"])
    return activation(y + x), new  # (B, H / stride, W / stride, C_out)


def model(preset: Preset) -> Model:
    activation, pool = (jax.nn.silu, average_pool) if preset.smooth else (jax.nn.relu, max_pool)

    def apply(params: Any, moving: Any, image: Array, training: bool) -> tuple[Array, Any]:  # (B, S, S, 3)
        norm = partial(batch_norm, preset=preset, training=training)
        x, stem = norm(conv(image, params["stem_conv"], 2), params["stem_bn"], moving["stem_bn"])
        x = pool(activation(x))  # (B, S / 4, S / 4, widths[0])
        stages: list[list[Any]] = [[] for _ in preset.depths]
        for stage, new in enumerate(stages):  # (B, S / 4, S / 4, 4 width), then half the edge in each
            for block, layers in enumerate(params["stages"][stage]):
                stride, old = 2 if stage > 0 and block == 0 else 1, moving["stages"][stage][block]
                x, one = bottleneck(x, layers, old, stride, norm, activation)
                new.append(one)
        x = x.mean((1, 2))  # (B, features)
        logits = x @ params["classifier"]["kernel"] + params["classifier"]["bias"]  # (B, classes)
        return logits, {"stem_bn": stem, "stages": stages}

    return apply


def loss(model: Model, params: Any, moving: Any, image: Array, label: Array) -> tuple[Array, Any]:
    logits, moving = model(params, moving, image, training=True)
    return optax.softmax_cross_entropy_with_integer_labels(logits, label).mean(), moving


def predict(model: Model, params: Any, moving: Any, image: Array) -> Array:
    return model(params, moving, image, training=False)[0]
