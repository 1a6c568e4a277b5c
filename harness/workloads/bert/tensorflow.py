"""bert in TensorFlow."""

from __future__ import annotations

import math

import tensorflow as tf

from harness.workloads.bert.spec import Preset
from harness.workloads.gpt.tensorflow import Dense, Embedding, LayerNorm, attention


def gelu(
    x: tf.Tensor,
) -> tf.Tensor:  # tf.nn.gelu divides by a square root of 2 that is rounded to fp32, in float64 too
    return 0.5 * x * (1 + tf.math.erf(x * math.sqrt(0.5)))


class Block(tf.Module):
    def __init__(self, preset: Preset) -> None:
        super().__init__()
        width, self.heads = preset.width, preset.heads
        self.qkv, self.proj = Dense(width, 3 * width), Dense(width, width)
        self.ln1 = LayerNorm(width, preset.epsilon)
        self.fc, self.out = Dense(width, 4 * width), Dense(4 * width, width)
        self.ln2 = LayerNorm(width, preset.epsilon)

    def __call__(self, x: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:  # (B T, C), (B, 1, 1, T)
        T, C = mask.shape[-1], x.shape[-1]
        qkv = tf.reshape(self.qkv(x), (-1, T, 3, self.heads, C // self.heads))
        q, k, v = tf.unstack(tf.transpose(qkv, (2, 0, 3, 1, 4)))  # (B, H, T, D) each
        y = tf.transpose(attention(q, k, v, mask), (0, 2, 1, 3))  # (B, T, H, D)
        x = self.ln1(x + self.proj(tf.reshape(y, (-1, C))))
        return self.ln2(x + self.out(gelu(self.fc(x))))  # (B T, C)


class Bert(tf.Module):
    def __init__(self, preset: Preset) -> None:
        super().__init__()
        self.token_embedding = Embedding(preset.vocabulary, preset.width)
        self.position_embedding = Embedding(preset.context, preset.width)
        self.ln_embedding = LayerNorm(preset.width, preset.epsilon)
        self.blocks = [Block(preset) for _ in range(preset.layers)]
        self.pooler = Dense(preset.width, preset.width)
        self.classifier = Dense(preset.width, preset.classes)

    def __call__(self, tokens: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:  # (B, T) each -> (B, classes)
        T, C = tokens.shape[1], self.pooler.bias.shape[0]
        x = tf.gather(self.token_embedding.embeddings, tokens) + self.position_embedding.embeddings[:T]
        x = self.ln_embedding(tf.reshape(x, (-1, C)))  # (B T, C)
        there = tf.cast(mask, tf.bool)[:, None, None]  # (B, 1, 1, T)
        for block in self.blocks:
            x = block(x, there)
        first = tf.reshape(x, (-1, T, C))[:, 0]  # (B, C)
        return self.classifier(tf.tanh(self.pooler(first)))


def model(preset: Preset) -> tf.Module:
    return Bert(preset)


def loss(model: Bert, tokens: tf.Tensor, mask: tf.Tensor, label: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(label, model(tokens, mask)))
