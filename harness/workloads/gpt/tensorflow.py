"""gpt in TensorFlow."""

from __future__ import annotations

import math

import tensorflow as tf

from harness.workloads.gpt.spec import Preset

LayerCache = tuple[tf.Variable, tf.Variable]  # keys, values, (B, H, context, D) each
Cache = list[LayerCache]


class Embedding(tf.Module):
    def __init__(self, rows: int, width: int) -> None:
        super().__init__()
        self.embeddings = tf.Variable(tf.zeros((rows, width)))


class LayerNorm(tf.Module):
    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__()
        self.gamma, self.beta = tf.Variable(tf.ones((width,))), tf.Variable(tf.zeros((width,)))
        self.epsilon = epsilon

    def __call__(self, x: tf.Tensor) -> tf.Tensor:  # (N, C)
        wide = tf.cast(x, tf.float32) if x.dtype == tf.bfloat16 else x
        mean, variance = tf.nn.moments(wide, -1, keepdims=True)  # (N, 1)
        beta, gamma = tf.cast(self.beta, wide.dtype), tf.cast(self.gamma, wide.dtype)
        return tf.cast(tf.nn.batch_normalization(wide, mean, variance, beta, gamma, self.epsilon), x.dtype)


class Dense(tf.Module):
    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.kernel, self.bias = tf.Variable(tf.zeros((n_in, n_out))), tf.Variable(tf.zeros((n_out,)))

    def __call__(self, x: tf.Tensor) -> tf.Tensor:  # (N, n_in) -> (N, n_out)
        return tf.matmul(x, self.kernel) + self.bias  # bias_add's gradient would add up in bf16 on a CPU


def gelu(x: tf.Tensor) -> tf.Tensor:  # tf.nn.gelu takes a power, at three times the cost
    return 0.5 * x * (1 + tf.tanh(math.sqrt(2 / math.pi) * x * (1 + 0.044715 * tf.square(x))))


def attention(q: tf.Tensor, k: tf.Tensor, v: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """(B, H, T, D), twice (B, H, S, D), (T, S) -> (B, H, T, D); TensorFlow has no fused operation for it."""
    scores = tf.matmul(q * q.shape[-1] ** -0.5, k, transpose_b=True)  # (B, H, T, S)
    return tf.matmul(tf.nn.softmax(tf.where(mask, scores, -math.inf)), v)


class Block(tf.Module):
    def __init__(self, preset: Preset) -> None:
        super().__init__()
        width, self.heads = preset.width, preset.heads
        self.ln1, self.ln2 = LayerNorm(width, preset.epsilon), LayerNorm(width, preset.epsilon)
        self.qkv, self.proj = Dense(width, 3 * width), Dense(width, width)
        self.fc, self.out = Dense(width, 4 * width), Dense(4 * width, width)

    def __call__(
        self, x: tf.Tensor, mask: tf.Tensor, cache: LayerCache | None, places: tf.Tensor | None
    ) -> tf.Tensor:
        (N, C), (T, S) = x.shape, mask.shape  # N = B T
        qkv = tf.reshape(self.qkv(self.ln1(x)), (N // T, T, 3, self.heads, C // self.heads))
        q, k, v = tf.unstack(tf.transpose(qkv, (2, 0, 3, 1, 4)))  # (B, H, T, D) each
        if cache is not None:
            for cached, new in zip(cache, (k, v), strict=True):
                cached.scatter_nd_update(places, new)
            if S > T:  # attend to all that is cached, not only to this call's own
                k, v = cache  # (B, H, context, D)
        y = tf.transpose(attention(q, k, v, mask), (0, 2, 1, 3))  # (B, T, H, D)
        x += self.proj(tf.reshape(y, (N, C)))
        return x + self.out(gelu(self.fc(self.ln2(x))))  # (N, C)


class GPT(tf.Module):
    def __init__(self, preset: Preset) -> None:
        super().__init__()
        self.preset = preset
        self.token_embedding = Embedding(preset.vocabulary, preset.width)
        self.position_embedding = Embedding(preset.context, preset.width)
        self.blocks = [Block(preset) for _ in range(preset.layers)]
        self.ln_final = LayerNorm(preset.width, preset.epsilon)

    def __call__(self, tokens: tf.Tensor) -> tf.Tensor:  # (B, T) -> (B T, V)
        position = tf.range(tokens.shape[1])
        return self.logits(self.hidden(tokens, position, position))

    def hidden(
        self, tokens: tf.Tensor, position: tf.Tensor, attended: tf.Tensor, cache: Cache | None = None
    ) -> tf.Tensor:  # (B, T), (T,), (S,) -> (B T, C)
        (B, T), C = tokens.shape, self.preset.width
        x = tf.gather(self.token_embedding.embeddings, tokens)  # (B, T, C)
        x += tf.gather(self.position_embedding.embeddings, position)
        x = tf.reshape(x, (B * T, C))
        mask = attended <= position[:, None]  # (T, S)
        places = None
        if cache is not None:
            indices = (tf.range(n, dtype=position.dtype) for n in (B, self.preset.heads))
            places = tf.stack(tf.meshgrid(*indices, position, indexing="ij"), -1)  # (B, H, T, 3)
        for layer, block in enumerate(self.blocks):
            x = block(x, mask, cache[layer] if cache else None, places)
        return self.ln_final(x)

    def logits(self, x: tf.Tensor) -> tf.Tensor:  # (N, C) -> (N, V), by the embedding of the tokens
        return tf.matmul(x, self.token_embedding.embeddings, transpose_b=True)


def model(preset: Preset) -> tf.Module:
    return GPT(preset)


def loss(model: GPT, tokens: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    targets = tf.reshape(targets, (-1,))  # (B T,)
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(targets, model(tokens)))


def empty_cache(model: GPT, batch: int) -> Cache:
    preset = model.preset
    shape = (batch, preset.heads, preset.context, preset.width // preset.heads)
    return [(tf.Variable(tf.zeros(shape)), tf.Variable(tf.zeros(shape))) for _ in range(preset.layers)]


def prefill(model: GPT, cache: Cache, prompt: tf.Tensor) -> tf.Tensor:  # (B, P) -> (B, V)
    B, P = prompt.shape
    position = tf.range(P)
    x = model.hidden(prompt, position, position, cache)
    return model.logits(tf.reshape(x, (B, P, -1))[:, -1])


def decode(model: GPT, cache: Cache, token: tf.Tensor, position: tf.Tensor) -> tf.Tensor:
    """(B,), () -> (B, V)"""
    attended = tf.range(model.preset.context, dtype=position.dtype)
    return model.logits(model.hidden(token[:, None], position[None], attended, cache))
