"""JAX: Flax's layers (linen), put together as Flax's own examples do (imagenet, lm1b, sst2)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array

from benchmarks.native.jax import Model
from benchmarks.well_known import Known, Work
from benchmarks.well_known.jax_flops import flops
from harness.workloads import Job


class Attention(nn.Module):
    preset: Any

    @nn.compact
    def __call__(self, x: Array, mask: Array) -> Array:  # (B, T, C)
        return nn.MultiHeadDotProductAttention(self.preset.heads)(x, mask=mask)


class Mlp(nn.Module):
    width: int
    approximate: bool

    @nn.compact
    def __call__(self, x: Array) -> Array:  # (B, T, C)
        return nn.Dense(self.width)(nn.gelu(nn.Dense(4 * self.width)(x), approximate=self.approximate))


class Bert(nn.Module):
    preset: Any

    @nn.compact
    def __call__(self, tokens: Array, mask: Array, train: bool) -> Array:  # (B, T) each -> (B, classes)
        preset = self.preset
        norm = partial(nn.LayerNorm, epsilon=preset.epsilon)
        x = nn.Embed(preset.vocabulary, preset.width)(tokens)
        x = norm()(x + nn.Embed(preset.context, preset.width)(jnp.arange(tokens.shape[1])))
        there = nn.make_attention_mask(jnp.ones_like(mask), mask)  # (B, 1, T, T)
        for _ in range(preset.layers):
            x = norm()(x + Attention(preset)(x, there))
            x = norm()(x + Mlp(preset.width, approximate=False)(x))
        return nn.Dense(preset.classes)(jnp.tanh(nn.Dense(preset.width)(x[:, 0])))


class Gpt(nn.Module):
    preset: Any

    @nn.compact
    def __call__(self, tokens: Array, train: bool) -> Array:  # (B, T) -> (B, T, V)
        preset = self.preset
        norm = partial(nn.LayerNorm, epsilon=preset.epsilon)
        embed = nn.Embed(preset.vocabulary, preset.width, embedding_init=nn.initializers.normal(0.02))
        x = embed(tokens) + nn.Embed(preset.context, preset.width)(jnp.arange(tokens.shape[1]))
        past = nn.make_causal_mask(tokens)  # (B, 1, T, T)
        for _ in range(preset.layers):
            x = x + Attention(preset)(norm()(x), past)
            x = x + Mlp(preset.width, approximate=True)(norm()(x))
        return embed.attend(norm()(x))


class Lstm(nn.Module):
    preset: Any

    @nn.compact
    def __call__(self, tokens: Array, train: bool) -> Array:  # (B, T) -> (B, classes)
        x = nn.Embed(self.preset.vocabulary, self.preset.width)(tokens)
        (_, h), _ = nn.RNN(nn.OptimizedLSTMCell(self.preset.hidden), return_carry=True)(x)
        return nn.Dense(self.preset.classes)(h)


class Bottleneck(nn.Module):
    width: int
    stride: int
    norm: Any

    @nn.compact
    def __call__(self, x: Array) -> Array:  # (B, H, W, C) -> (B, H / stride, W / stride, 4 width)
        conv = partial(nn.Conv, use_bias=False)
        strides = (self.stride, self.stride)
        y = nn.relu(self.norm()(conv(self.width, (1, 1))(x)))
        y = nn.relu(self.norm()(conv(self.width, (3, 3), strides, padding=1)(y)))
        y = self.norm()(conv(4 * self.width, (1, 1))(y))
        if x.shape != y.shape:
            x = self.norm()(conv(4 * self.width, (1, 1), strides)(x))
        return nn.relu(x + y)


class ResNet(nn.Module):
    preset: Any

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:  # (B, S, S, 3) -> (B, classes)
        preset = self.preset
        norm = partial(
            nn.BatchNorm,
            use_running_average=not train,
            momentum=preset.momentum,
            epsilon=preset.epsilon,
        )
        x = nn.Conv(preset.widths[0], (7, 7), (2, 2), padding=3, use_bias=False)(x)
        x = nn.max_pool(nn.relu(norm()(x)), (3, 3), strides=(2, 2), padding=((1, 1), (1, 1)))
        for stage, (depth, width) in enumerate(zip(preset.depths, preset.widths, strict=True)):
            for block in range(depth):
                x = Bottleneck(width, 2 if stage > 0 and block == 0 else 1, norm)(x)
        return nn.Dense(preset.classes)(jnp.mean(x, axis=(1, 2)))


def model(flax: nn.Module, keys: Iterator[Any], *x: Array) -> Model:
    """The module as the native loop takes models; ``x``: inputs of the right shape."""
    variables = jax.jit(partial(flax.init, train=False))(next(keys), *x)

    def apply(params: Any, stats: Any, *x: Array, train: bool) -> tuple[Array, Any]:
        variables = {"params": params, "batch_stats": stats}
        if not train:
            return flax.apply(variables, *x, train=False), stats
        logits, new = flax.apply(variables, *x, train=True, mutable=["batch_stats"])
        return logits, new.get("batch_stats", stats)

    return variables["params"], variables.get("batch_stats", {}), apply


def tokens(length: int) -> Array:
    return jnp.zeros((1, length), int)


MODELS = {
    "bert": Known(
        lambda preset, keys: model(Bert(preset), keys, *[tokens(preset.context)] * 2),
        "Flax' MultiHeadDotProductAttention, three projections where ours has one; a mask for every pair of positions",
    ),
    "gpt": Known(
        lambda preset, keys: model(Gpt(preset), keys, tokens(preset.context)),
        "Flax' MultiHeadDotProductAttention, three projections where ours has one",
    ),
    "lstm": Known(
        lambda preset, keys: model(Lstm(preset), keys, tokens(preset.length)),
        "Flax' RNN over its OptimizedLSTMCell, which projects each token inside the loop; ours all at once before it",
    ),
    "resnet50": Known(
        lambda preset, keys: model(ResNet(preset), keys, jnp.zeros((1, preset.size, preset.size, 3))),
        "the ResNet of Flax' example imagenet",
    ),
}


def work(job: Job, build: Callable[[Any, Iterator[Any]], Model]) -> Work:
    params, stats, apply = build(job.preset, map(jax.random.key, itertools.count()))
    *given, _ = job.workload.tasks["train"].inputs
    forward = partial(apply, train=True)
    counted = flops(forward, params, stats, *(job.batches[name][0] for name in given))
    return Work(sum(one.size for one in jax.tree.leaves(params)), counted)
