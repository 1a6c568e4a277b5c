"""lstm in TensorFlow: a loop over time, which ``tf.function`` turns into a while loop of the graph."""

from __future__ import annotations

import tensorflow as tf

from harness.workloads.lstm.spec import Preset


class Embedding(tf.Module):
    def __init__(self, rows: int, width: int) -> None:
        super().__init__()
        self.embeddings = tf.Variable(tf.zeros((rows, width)))

    def __call__(self, tokens: tf.Tensor) -> tf.Tensor:  # (B, T)
        return tf.gather(self.embeddings, tokens)  # (B, T, width)


class Lstm(tf.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.kernel = tf.Variable(tf.zeros((width, 4 * hidden)))
        self.recurrent_kernel = tf.Variable(tf.zeros((hidden, 4 * hidden)))
        self.bias = tf.Variable(tf.zeros((4 * hidden,)))
        self.hidden = hidden

    def __call__(self, x: tf.Tensor, lengths: tf.Tensor | None = None) -> tf.Tensor:  # (B, T, width), (B,)
        h = c = tf.zeros((tf.shape(x)[0], self.hidden), x.dtype)
        t = tf.constant(0)
        for token in tf.transpose(x, (1, 0, 2)):  # (B, width)
            # on a CPU faster than the projection of all tokens before the loop; bias_add would sum its gradient in bf16
            gates = (
                tf.matmul(token, self.kernel) + tf.matmul(h, self.recurrent_kernel) + self.bias
            )  # (B, 4 hidden)
            i, f, g, o = tf.split(gates, 4, axis=-1)  # (B, hidden) each
            before = h, c
            c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
            h = tf.sigmoid(o) * tf.tanh(c)
            if lengths is not None:  # after a sequence's last token its state stays
                there = tf.expand_dims(t < lengths, 1)
                h, c = tf.where(there, h, before[0]), tf.where(there, c, before[1])
                t += 1
        return h


class Dense(tf.Module):
    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.kernel, self.bias = tf.Variable(tf.zeros((n_in, n_out))), tf.Variable(tf.zeros((n_out,)))

    def __call__(self, x: tf.Tensor) -> tf.Tensor:  # (B, n_in)
        return tf.nn.bias_add(tf.matmul(x, self.kernel), self.bias)  # (B, n_out)


class Classifier(tf.Module):
    def __init__(self, preset: Preset) -> None:
        super().__init__()
        self.embedding = Embedding(preset.vocabulary, preset.width)
        self.lstm = Lstm(preset.width, preset.hidden)
        self.classifier = Dense(preset.hidden, preset.classes)
        self.padded = preset.padded

    def __call__(self, tokens: tf.Tensor) -> tf.Tensor:  # (B, T)
        lengths = tf.math.count_nonzero(tokens, 1, dtype=tf.int32) if self.padded else None
        return self.classifier(self.lstm(self.embedding(tokens), lengths))  # (B, classes)


def model(preset: Preset) -> tf.Module:
    return Classifier(preset)


def loss(model: Classifier, tokens: tf.Tensor, label: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(label, model(tokens)))
