"""Keras on any backend: KerasHub's layers and its ResNet backbone, ``layers.LSTM`` as Keras' IMDB example has it."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import keras
from keras import layers

from benchmarks.native.keras import alone
from benchmarks.well_known import Known, Work
from harness.workloads import Job

GELU = keras.activations.gelu


def bert(preset: Any) -> keras.Model:
    import keras_hub

    tokens, mask = (keras.Input((preset.context,), dtype="int32") for _ in range(2))
    embed = keras_hub.layers.TokenAndPositionEmbedding(preset.vocabulary, preset.context, preset.width)
    x = layers.LayerNormalization(epsilon=preset.epsilon)(embed(tokens))
    for _ in range(preset.layers):
        x = keras_hub.layers.TransformerEncoder(
            4 * preset.width,
            preset.heads,
            activation=partial(GELU, approximate=False),
            layer_norm_epsilon=preset.epsilon,
        )(x, padding_mask=mask)
    x = layers.Dense(preset.width, activation="tanh")(x[:, 0])
    return keras.Model([tokens, mask], layers.Dense(preset.classes)(x))


def gpt(preset: Any) -> keras.Model:
    import keras_hub

    tokens = keras.Input((preset.context,), dtype="int32")
    embed = keras_hub.layers.TokenAndPositionEmbedding(preset.vocabulary, preset.context, preset.width)
    x = embed(tokens)
    for _ in range(preset.layers):
        x = keras_hub.layers.TransformerDecoder(
            4 * preset.width,
            preset.heads,
            activation=partial(GELU, approximate=True),
            layer_norm_epsilon=preset.epsilon,
            normalize_first=True,
        )(x)
    x = layers.LayerNormalization(epsilon=preset.epsilon)(x)
    return keras.Model(tokens, embed.token_embedding(x, reverse=True))


def lstm(preset: Any) -> keras.Model:
    tokens = keras.Input((None,), dtype="int32")
    x = layers.Embedding(preset.vocabulary, preset.width)(tokens)
    return keras.Model(tokens, layers.Dense(preset.classes)(layers.LSTM(preset.hidden)(x)))


def resnet50(preset: Any) -> keras.Model:
    import keras_hub

    backbone = keras_hub.models.ResNetBackbone(
        input_conv_filters=[preset.widths[0]],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=list(preset.widths),
        stackwise_num_blocks=list(preset.depths),
        stackwise_num_strides=[1, 2, 2, 2],
        block_type="bottleneck_block",
        image_shape=(preset.size, preset.size, 3),
    )
    x = layers.GlobalAveragePooling2D()(backbone.output)
    return keras.Model(backbone.input, layers.Dense(preset.classes)(x))


MODELS = {
    "bert": Known(bert, "KerasHub's TransformerEncoder, three projections where ours has one"),
    "gpt": Known(gpt, "KerasHub's TransformerDecoder, three projections where ours has one"),
    "lstm": Known(lstm, "the layers of Keras' IMDB example, which are ours too"),
    "resnet50": Known(
        resnet50,
        "KerasHub's ResNetBackbone, whose first stage is 64 wide",
        fits=lambda preset: preset.widths[0] == 64,
    ),
}


def work(job: Job, build: Callable[[Any], keras.Model]) -> Work:
    """FLOPs are counted on JAX alone: the layers are the same on every backend."""
    model = build(job.preset)
    parameters = sum(math.prod(one.shape) for one in model.trainable_variables)
    if keras.config.backend() != "jax":
        return Work(parameters, None)
    from benchmarks.well_known import jax_flops

    def forward(*variables: Any) -> Any:
        return model.stateless_call(*variables, x, training=True)

    *given, _ = job.workload.tasks["train"].inputs
    x = alone([job.batches[name][0] for name in given])
    variables = model.trainable_variables, model.non_trainable_variables
    return Work(parameters, jax_flops.flops(forward, *([one.value for one in some] for some in variables)))
