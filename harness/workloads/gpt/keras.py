"""gpt in Keras 3, the same on every backend."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

from harness.workloads.gpt.spec import Preset

Tensor = Any  # the backend's own
Cache = list[tuple[Tensor, Tensor]]  # keys and values of each layer, (B, context, H, D)

# PyTorch's operation chooses its kernel, flash attention too; Keras' asking first would break the compiled graph
FLASH = False if keras.config.backend() == "torch" else None


class Block(layers.Layer):  # type: ignore[misc]
    def __init__(self, preset: Preset, name: str) -> None:
        super().__init__(name=name)
        width, self.heads = preset.width, preset.heads
        self.ln1 = layers.LayerNormalization(epsilon=preset.epsilon, name="ln1")
        self.qkv = layers.Dense(3 * width, name="qkv")
        self.proj = layers.Dense(width, name="proj")
        self.ln2 = layers.LayerNormalization(epsilon=preset.epsilon, name="ln2")
        self.fc = layers.Dense(4 * width, name="fc")
        self.out = layers.Dense(width, name="out")

    def call(
        self,
        x: Tensor,
        start: Any = 0,
        cache: tuple[Tensor, Tensor] | None = None,
        attend_to: Tensor | None = None,
    ) -> tuple[Tensor, tuple[Tensor, Tensor] | None]:
        (_, T, C), heads = x.shape, self.heads
        qkv = ops.reshape(self.qkv(self.ln1(x)), (-1, T, 3, heads, C // heads))
        q, k, v = ops.unstack(qkv, axis=2)  # (B, T, H, D) each
        if cache is not None:
            keys, values = (
                ops.slice_update(old, (0, start, 0, 0), new) for old, new in zip(cache, (k, v), strict=True)
            )
            cache = (keys, values)
            if attend_to is not None:  # to all that is cached, not only to this call's own
                k, v = cache  # (B, context, H, D)
        y = ops.dot_product_attention(
            q, k, v, mask=attend_to, is_causal=attend_to is None, flash_attention=FLASH
        )
        x = x + self.proj(ops.reshape(y, (-1, T, C)))
        return x + self.out(ops.gelu(self.fc(self.ln2(x)), approximate=True)), cache  # (B, T, C)


class GPT(keras.Model):  # type: ignore[misc]
    def __init__(self, preset: Preset) -> None:
        super().__init__()
        self.preset = preset
        self.token_embedding = layers.ReversibleEmbedding(
            preset.vocabulary, preset.width, name="token_embedding"
        )
        self.position_embedding = layers.Embedding(preset.context, preset.width, name="position_embedding")
        self.blocks = [Block(preset, name=f"blocks_{layer}") for layer in range(preset.layers)]
        self.ln_final = layers.LayerNormalization(epsilon=preset.epsilon, name="ln_final")

    def hidden(
        self, tokens: Tensor, start: Any = 0, cache: Cache | None = None, attend_to: Tensor | None = None
    ) -> tuple[Tensor, Any]:  # (B, T) -> (B, T, C)
        positions = ops.add(ops.arange(tokens.shape[1], dtype="int32"), start)  # (T,)
        x = self.token_embedding(tokens) + self.position_embedding(positions)  # (B, T, C)
        new = []
        for layer, block in enumerate(self.blocks):
            x, one = block(x, start=start, cache=cache[layer] if cache else None, attend_to=attend_to)
            new.append(one)
        return self.ln_final(x), new

    def logits(self, x: Tensor) -> Tensor:  # (..., C) -> (..., V), by the embedding of the tokens
        return self.token_embedding(x, reverse=True)

    def call(self, tokens: Tensor) -> Tensor:  # (B, T) -> (B, T, V)
        return self.logits(self.hidden(tokens)[0])


def model(preset: Preset) -> GPT:
    gpt = GPT(preset)
    gpt(keras.Input((preset.context,), dtype="int32"))  # makes the variables
    return gpt


def loss() -> keras.losses.Loss:
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def empty_cache(model: GPT, batch: int) -> Cache:
    preset = model.preset
    shape = (batch, preset.context, preset.heads, preset.width // preset.heads)
    return [tuple(ops.zeros(shape, model.compute_dtype) for _ in "kv") for _ in range(preset.layers)]


def prefill(model: GPT, cache: Cache, prompt: Tensor) -> tuple[Tensor, Cache]:  # (B, P) -> (B, V)
    x, cache = model.hidden(prompt, cache=cache)
    return model.logits(x[:, -1]), cache


def decode(
    model: GPT, cache: Cache, token: Tensor, position: Tensor
) -> tuple[Tensor, Cache]:  # (B,), () -> (B, V)
    mask = ops.less_equal(ops.arange(model.preset.context, dtype="int32"), position)  # (context,)
    x, cache = model.hidden(token[:, None], position, cache, mask[None, None, None])  # (B, 1, C)
    return model.logits(x[:, 0]), cache
