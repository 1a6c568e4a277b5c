"""bert in Keras 3, the same on every backend."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops
from keras.activations import gelu

from harness.workloads.bert.spec import Preset

Tensor = Any  # the backend's own

# PyTorch's operation chooses its kernel, flash attention too; Keras' asking first would break the compiled graph
FLASH = False if keras.config.backend() == "torch" else None


class Block(layers.Layer):  # type: ignore[misc]
    def __init__(self, preset: Preset, name: str) -> None:
        super().__init__(name=name)
        width, self.heads = preset.width, preset.heads
        self.qkv = layers.Dense(3 * width, name="qkv")
        self.proj = layers.Dense(width, name="proj")
        self.ln1 = layers.LayerNormalization(epsilon=preset.epsilon, name="ln1")
        self.fc = layers.Dense(4 * width, name="fc")
        self.out = layers.Dense(width, name="out")
        self.ln2 = layers.LayerNormalization(epsilon=preset.epsilon, name="ln2")

    def call(self, x: Tensor, there: Tensor) -> Tensor:  # (B, T, C), (B, 1, 1, T)
        (_, T, C), heads = x.shape, self.heads
        q, k, v = ops.unstack(
            ops.reshape(self.qkv(x), (-1, T, 3, heads, C // heads)), axis=2
        )  # (B, T, H, D) each
        y = ops.dot_product_attention(q, k, v, mask=there, flash_attention=FLASH)
        x = self.ln1(x + self.proj(ops.reshape(y, (-1, T, C))))
        return self.ln2(x + self.out(gelu(self.fc(x), approximate=False)))  # (B, T, C)


class Bert(keras.Model):  # type: ignore[misc]
    def __init__(self, preset: Preset) -> None:
        super().__init__()
        width, self.context = preset.width, preset.context
        self.token_embedding = layers.Embedding(preset.vocabulary, width, name="token_embedding")
        self.position_embedding = layers.Embedding(preset.context, width, name="position_embedding")
        self.ln_embedding = layers.LayerNormalization(epsilon=preset.epsilon, name="ln_embedding")
        self.blocks = [Block(preset, name=f"blocks_{layer}") for layer in range(preset.layers)]
        self.pooler = layers.Dense(width, activation="tanh", name="pooler")
        self.classifier = layers.Dense(preset.classes, name="classifier")

    def call(self, inputs: dict[str, Tensor]) -> Tensor:  # (B, T) each -> (B, classes)
        tokens, there = inputs["tokens"], ops.cast(inputs["mask"], "bool")[:, None, None]  # (B, 1, 1, T)
        positions = ops.arange(0, self.context, dtype="int32")  # jax2onnx does not take one number alone
        x = self.ln_embedding(self.token_embedding(tokens) + self.position_embedding(positions))  # (B, T, C)
        for block in self.blocks:
            x = block(x, there)
        return self.classifier(self.pooler(x[:, 0]))


def model(preset: Preset) -> Bert:
    bert = Bert(preset)
    bert({name: keras.Input((preset.context,), dtype="int32", name=name) for name in ("tokens", "mask")})
    return bert


def loss() -> keras.losses.Loss:
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)
