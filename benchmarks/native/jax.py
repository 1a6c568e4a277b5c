"""JAX: pure functions of a tree of parameters under ``jax.jit``, stepped as optax's getting-started page does."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import Array, lax

from harness.workloads import Job
from harness.workloads.specification import SGD

Keys = Any  # an iterator of random keys
Model = tuple[Any, Any, Callable[..., tuple[Array, Any]]]
"""Parameters, moving statistics and ``apply(params, stats, *x, train) -> (logits, stats)``."""


def lecun(key: Array, *shape: int) -> Array:
    """What flax draws by default."""
    return jax.nn.initializers.lecun_normal()(key, shape)


def linear(keys: Keys, n_in: int, n_out: int) -> Any:
    return {"w": lecun(next(keys), n_in, n_out), "b": jnp.zeros(n_out)}


def dense(x: Array, p: Any) -> Array:
    return x @ p["w"] + p["b"]


def conv(x: Array, w: Array, stride: int = 1) -> Array:
    pad = w.shape[0] // 2
    return lax.conv_general_dilated(
        x, w, (stride, stride), [(pad, pad)] * 2, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def max_pool(x: Array, size: int, pad: int = 0) -> Array:
    padding = [(0, 0), (pad, pad), (pad, pad), (0, 0)]
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, size, size, 1), (1, 2, 2, 1), padding)


def convstack(preset: Any, keys: Keys) -> Model:
    params = {
        "convs": [
            {"w": lecun(next(keys), 3, 3, c_in, c_out), "b": jnp.zeros(c_out)}
            for c_in, c_out in itertools.pairwise((3, *preset.channels))
        ],
        "head": linear(
            keys, (preset.size >> len(preset.channels)) ** 2 * preset.channels[-1], preset.classes
        ),
    }

    def apply(params: Any, stats: Any, x: Array, train: bool) -> tuple[Array, Any]:
        for layer in params["convs"]:
            x = max_pool(conv(x, layer["w"]) + layer["b"], 2)
        return dense(x.reshape(x.shape[0], -1), params["head"]), stats

    return params, {}, apply


def mlp(preset: Any, keys: Keys) -> Model:
    params = [linear(keys, n_in, n_out) for n_in, n_out in itertools.pairwise(preset.widths)]

    def apply(params: Any, stats: Any, x: Array, train: bool) -> tuple[Array, Any]:
        x = x.reshape(x.shape[0], -1)
        for layer in params[:-1]:
            x = jax.nn.relu(dense(x, layer))
        return dense(x, params[-1]), stats

    return params, {}, apply


def resnet50(preset: Any, keys: Keys) -> Model:
    params: dict[str, Any] = {}
    stats: dict[str, Any] = {}

    def add(name: str, kernel: int, c_in: int, c_out: int) -> None:
        w = lecun(next(keys), kernel, kernel, c_in, c_out)
        params[name] = {"w": w, "scale": jnp.ones(c_out), "bias": jnp.zeros(c_out)}
        stats[name] = {"mean": jnp.zeros(c_out), "var": jnp.ones(c_out)}

    add("stem", 7, 3, preset.widths[0])
    blocks, c_in = [], preset.widths[0]
    for stage, (depth, width) in enumerate(zip(preset.depths, preset.widths, strict=True)):
        for index in range(depth):
            name, stride = f"{stage}.{index}", 2 if stage > 0 and index == 0 else 1
            add(f"{name}.1", 1, c_in, width)
            add(f"{name}.2", 3, width, width)
            add(f"{name}.3", 1, width, 4 * width)
            if stride > 1 or c_in != 4 * width:
                add(f"{name}.skip", 1, c_in, 4 * width)
            blocks.append((name, stride))
            c_in = 4 * width
    params["head"] = linear(keys, c_in, preset.classes)

    def apply(params: Any, stats: Any, x: Array, train: bool) -> tuple[Array, Any]:
        new = {}

        def conv_bn(x: Array, name: str, stride: int = 1) -> Array:
            p, old = params[name], stats[name]
            x = conv(x, p["w"], stride)
            mean, var = old["mean"], old["var"]
            if train:
                mean = x.mean((0, 1, 2))
                var = jnp.square(x).mean((0, 1, 2)) - jnp.square(mean)  # flax's way
                new[name] = {
                    "mean": 0.9 * old["mean"] + 0.1 * mean,
                    "var": 0.9 * old["var"] + 0.1 * var,
                }
            return (x - mean) * lax.rsqrt(var + 1e-5) * p["scale"] + p["bias"]

        x = max_pool(jax.nn.relu(conv_bn(x, "stem", 2)), 3, 1)
        for name, stride in blocks:
            y = jax.nn.relu(conv_bn(x, f"{name}.1"))
            y = jax.nn.relu(conv_bn(y, f"{name}.2", stride))
            y = conv_bn(y, f"{name}.3")
            skip = conv_bn(x, f"{name}.skip", stride) if f"{name}.skip" in params else x
            x = jax.nn.relu(y + skip)
        return dense(x.mean((1, 2)), params["head"]), new

    return params, stats, apply


def gpt(preset: Any, keys: Keys) -> Model:
    width, heads = preset.width, preset.heads

    def norm() -> Any:
        return {"scale": jnp.ones(width), "bias": jnp.zeros(width)}

    params = {
        "tokens": 0.02 * jax.random.normal(next(keys), (preset.vocabulary, width)),
        "positions": 0.02 * jax.random.normal(next(keys), (preset.context, width)),
        "blocks": [
            {
                "ln1": norm(),
                "qkv": linear(keys, width, 3 * width),
                "proj": linear(keys, width, width),
                "ln2": norm(),
                "fc": linear(keys, width, 4 * width),
                "out": linear(keys, 4 * width, width),
            }
            for _ in range(preset.layers)
        ],
        "ln": norm(),
    }

    def layer_norm(x: Array, p: Any) -> Array:
        mean, var = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
        return (x - mean) * lax.rsqrt(var + 1e-5) * p["scale"] + p["bias"]

    def apply(params: Any, stats: Any, tokens: Array, train: bool) -> tuple[Array, Any]:
        B, T = tokens.shape
        x = params["tokens"][tokens] + params["positions"][:T]
        for p in params["blocks"]:
            q, k, v = jnp.split(dense(layer_norm(x, p["ln1"]), p["qkv"]).reshape(B, T, 3 * heads, -1), 3, 2)
            y = jax.nn.dot_product_attention(q, k, v, is_causal=True)  # (B, T, H, D)
            x = x + dense(y.reshape(B, T, width), p["proj"])
            x = x + dense(jax.nn.gelu(dense(layer_norm(x, p["ln2"]), p["fc"])), p["out"])
        return layer_norm(x, params["ln"]) @ params["tokens"].T, stats

    return params, {}, apply


MODELS: dict[str, Callable[[Any, Keys], Model]] = {
    "convstack": convstack,
    "mlp": mlp,
    "resnet50": resnet50,
    "gpt": gpt,
}


def transformation(job: Job, params: Any) -> optax.GradientTransformation:
    """optax's own for the declared one; matrices and kernels are decayed."""
    declared = job.workload.optimizer
    mask = jax.tree.map(lambda p: p.ndim > 1, params)
    if isinstance(declared, SGD):
        sgd = optax.sgd(declared.lr, declared.momentum)
        decay = optax.add_decayed_weights(declared.weight_decay, mask)
        return optax.chain(decay, sgd) if declared.weight_decay else sgd
    rate, shape = declared.lr, declared.schedule
    if shape is not None:
        first, floor = declared.lr / shape.warmup, declared.lr * shape.floor
        rate = optax.warmup_cosine_decay_schedule(first, declared.lr, shape.warmup, shape.total, floor)
    return optax.adamw(rate, declared.beta1, declared.beta2, weight_decay=declared.weight_decay, mask=mask)


def loop(job: Job, build: Callable[[Any, Keys], Model]) -> Callable[[int], Any]:
    keys = (jax.random.key(seed) for seed in itertools.count())
    params, stats, apply = build(job.preset, keys)
    names = job.workload.tasks["train"].inputs
    batches = [
        tuple(jnp.asarray(one) for one in batch)
        for batch in zip(*(job.batches[name] for name in names), strict=True)
    ]
    if job.case.task == "infer":
        forward = jax.jit(lambda params, stats, *x: apply(params, stats, *x, train=False)[0])
        return predict(partial(forward, params, stats), [x for *x, _ in batches])
    return train(transformation(job, params), params, stats, apply, batches)


def predict(forward: Callable[..., Array], batches: list[list[Array]]) -> Callable[[int], Any]:
    def run(n: int) -> Any:
        for step in range(n):
            logits = forward(*batches[step % len(batches)])
        return logits

    return run


def train(
    optimizer: optax.GradientTransformation, params: Any, stats: Any, apply: Any, batches: list[Any]
) -> Callable[[int], Any]:
    state = (params, stats, optimizer.init(params))
    steps = itertools.count()

    def loss_fn(params: Any, stats: Any, x: Any, y: Array) -> Any:
        logits, stats = apply(params, stats, *x, train=True)
        return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean(), stats

    @jax.jit
    def step(params: Any, stats: Any, opt_state: Any, *batch: Array) -> Any:
        *x, y = batch
        (loss, stats), grads = jax.value_and_grad(loss_fn, has_aux=True)(params, stats, x, y)
        updates, opt_state = optimizer.update(grads, opt_state, params)
        return loss, (optax.apply_updates(params, updates), stats, opt_state)

    def run(n: int) -> Any:
        nonlocal state
        for number in itertools.islice(steps, n):
            loss, state = step(*state, *batches[number % len(batches)])
        return loss, state

    return run
