"""control_flow in Keras 3, the same on every backend: ``ops.cond`` and ``ops.while_loop``."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import layers, ops

from harness.workloads.control_flow.spec import Preset

Tensor = Any  # the backend's own


class EarlyExit(keras.Model):  # type: ignore[misc]
    def __init__(self, preset: Preset) -> None:
        super().__init__()
        self.enough, width = preset.enough, preset.width
        self.blocks = [layers.Dense(width, name=f"blocks_{index}") for index in range(preset.blocks)]
        for block in self.blocks:
            block.build((None, width))  # a layer cannot make its weights inside a condition
        self.classifier = layers.Dense(preset.classes, name="classifier")

    def call(self, x: Tensor) -> tuple[Tensor, Tensor]:  # (B, width) -> (B, classes), (B,)
        taken = ops.zeros_like(x[:, 0], dtype="int32")
        for block in self.blocks:

            def deeper(x: Tensor = x, taken: Tensor = taken, block: Any = block) -> tuple[Tensor, Tensor]:
                return x + ops.tanh(block(x)), taken + 1

            def out(x: Tensor = x, taken: Tensor = taken) -> tuple[Tensor, Tensor]:
                return x, taken

            x, taken = ops.cond(ops.mean(ops.square(x)) < self.enough, deeper, out)
        return self.classifier(x), taken


class Converge(keras.Model):  # type: ignore[misc]
    def __init__(self, preset: Preset) -> None:
        super().__init__()
        self.enough, self.passes = preset.enough, preset.passes
        self.layer = layers.Dense(preset.width, name="layer")
        self.layer.build((None, preset.width))
        self.classifier = layers.Dense(preset.classes, name="classifier")

    def call(self, x: Tensor) -> tuple[Tensor, Tensor]:  # (B, width) -> (B, classes), (B,)
        def going(z: Tensor, change: Tensor, taken: Tensor) -> Tensor:
            return ops.logical_and(change >= self.enough, taken[0] < self.passes)

        def once(z: Tensor, change: Tensor, taken: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            new = ops.cast(ops.tanh(self.layer(z) + x), z.dtype)  # tanh gives float32 for JAX's float64
            return new, ops.max(ops.abs(new - z)), taken + 1

        start = ops.convert_to_tensor(math.inf, dtype=x.dtype)
        none = ops.zeros_like(x[:, 0], dtype="int32")
        z, _, taken = ops.while_loop(going, once, (ops.zeros_like(x), start, none))
        return self.classifier(z), taken


class Tree(keras.Model):  # type: ignore[misc]
    def __init__(self, preset: Preset) -> None:
        super().__init__()
        self.leaves = preset.leaves
        self.embedding = layers.Embedding(preset.vocabulary, preset.width, name="embedding")
        self.join = layers.Dense(preset.width, name="join")
        self.join.build((None, 2 * preset.width))
        self.classifier = layers.Dense(preset.classes, name="classifier")

    def call(self, inputs: dict[str, Tensor]) -> Tensor:
        left, right, joints = inputs["left"], inputs["right"], inputs["joints"]
        nodes = self.embedding(inputs["tokens"])  # (B, leaves, width)
        width = nodes.shape[2]
        nodes = ops.pad(nodes, ((0, 0), (0, self.leaves - 1), (0, 0)))  # room for the joints

        def one(nodes: Tensor, place: Tensor) -> Tensor:  # (B,) -> (B, width)
            return ops.take_along_axis(nodes, ops.reshape(place, (-1, 1, 1)), axis=1)[:, 0]

        def going(joint: Tensor, nodes: Tensor) -> Tensor:
            return joint < joints

        def once(joint: Tensor, nodes: Tensor) -> tuple[Tensor, Tensor]:
            pair = [one(nodes, ops.take(side, joint, axis=1)) for side in (left, right)]
            new = ops.cast(ops.tanh(self.join(ops.concatenate(pair, axis=1))), nodes.dtype)  # (B, width)
            return joint + 1, ops.slice_update(
                nodes, (0, self.leaves + joint, 0), ops.reshape(new, (-1, 1, width))
            )

        _, nodes = ops.while_loop(going, once, (ops.zeros_like(joints), nodes))
        return self.classifier(ops.take(nodes, self.leaves + joints - 1, axis=1))  # (B, classes)


def model(preset: Preset) -> keras.Model:
    return {"early_exit": EarlyExit, "converge": Converge, "tree": Tree}[preset.form](preset)
