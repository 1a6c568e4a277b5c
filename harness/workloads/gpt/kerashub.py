"""gpt as KerasHub's GPT-2, the same on every backend.

Its queries, keys and values are three layers where ours are one. Epsilon, tanh GELU, learned positions and logits by
the tokens' embedding are GPT-2's there too; its dropout is 0.1 unless it is told otherwise. A prompt's logits are made
for all positions, ours for the last alone.
"""

from __future__ import annotations

from typing import Any

import keras_hub
from keras import ops

from harness.workloads.gpt.spec import Preset

Tensor = Any  # the backend's own

BLOCK = {  # our layers, and KerasHub's
    "ln1": ["self_attention_layer_norm"],
    "qkv": ["self_attention/query", "self_attention/key", "self_attention/value"],
    "proj": ["self_attention/attention_output"],
    "ln2": ["feedforward_layer_norm"],
    "fc": ["feedforward_intermediate_dense"],
    "out": ["feedforward_output_dense"],
}


def places(name: str) -> list[str]:
    """KerasHub's variables that hold a tensor of ours."""
    *block, layer, kind = name.split(".")
    if not block:
        return [f"{'layer_norm' if layer == 'ln_final' else layer}/{kind}"]
    return [f"transformer_layer_{block[1]}/{own}/{kind}" for own in BLOCK[layer]]


def model(preset: Preset) -> keras_hub.models.GPT2CausalLM:
    backbone = keras_hub.models.GPT2Backbone(
        vocabulary_size=preset.vocabulary,
        num_layers=preset.layers,
        num_heads=preset.heads,
        hidden_dim=preset.width,
        intermediate_dim=4 * preset.width,
        dropout=0.0,
        max_sequence_length=preset.context,
    )
    return keras_hub.models.GPT2CausalLM(backbone)


def empty_cache(model: keras_hub.models.GPT2CausalLM, batch: int) -> Tensor:  # (B, layers, 2, context, H, D)
    own = model.backbone
    width = own.hidden_dim // own.num_heads
    return ops.zeros(
        (batch, own.num_layers, 2, own.max_sequence_length, own.num_heads, width), dtype=model.compute_dtype
    )


def prefill(
    model: keras_hub.models.GPT2CausalLM, cache: Tensor, prompt: Tensor
) -> tuple[Tensor, Tensor]:  # (B, P) -> (B, V)
    logits, _, cache = model.call_with_cache(prompt, cache, 0)  # (B, P, V)
    return logits[:, -1], cache


def decode(
    model: keras_hub.models.GPT2CausalLM, cache: Tensor, token: Tensor, position: Tensor
) -> tuple[Tensor, Tensor]:  # (B,), () -> (B, V)
    logits, _, cache = model.call_with_cache(token[:, None], cache, ops.cast(position, "int32"))
    return logits[:, 0], cache
