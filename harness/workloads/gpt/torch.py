"""gpt in PyTorch."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.workloads.gpt.spec import Preset

Cache = list[tuple[Tensor, Tensor]]  # keys and values of each layer, (B, H, context, D)


class Block(nn.Module):
    def __init__(self, preset: Preset) -> None:
        super().__init__()
        width, self.heads = preset.width, preset.heads
        self.ln1 = nn.LayerNorm(width, eps=preset.epsilon)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.ln2 = nn.LayerNorm(width, eps=preset.epsilon)
        self.fc = nn.Linear(width, 4 * width)
        self.out = nn.Linear(4 * width, width)

    def forward(
        self, x: Tensor, position: Tensor, cache: tuple[Tensor, Tensor] | None, mask: Tensor | None
    ) -> Tensor:
        B, T, C = x.shape
        q, k, v = (
            self.qkv(self.ln1(x)).view(B, T, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        )  # (B, H, T, D) each
        if cache is not None:
            keys, values = cache[0].index_copy_(2, position, k), cache[1].index_copy_(2, position, v)
            if mask is not None:  # to all that is cached, not only to this call's own
                k, v = keys, values  # (B, H, context, D)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None)
        x = x + self.proj(y.transpose(1, 2).reshape(B, T, C))
        return x + self.out(F.gelu(self.fc(self.ln2(x)), approximate="tanh"))  # (B, T, C)


class GPT(nn.Module):
    def __init__(self, preset: Preset) -> None:
        super().__init__()
        self.preset = preset
        self.token_embedding = nn.Embedding(preset.vocabulary, preset.width)
        self.position_embedding = nn.Embedding(preset.context, preset.width)
        self.blocks = nn.ModuleList(Block(preset) for _ in range(preset.layers))
        self.ln_final = nn.LayerNorm(preset.width, eps=preset.epsilon)

    def forward(
        self,
        tokens: Tensor,
        position: Tensor | None = None,
        cache: Cache | None = None,
        mask: Tensor | None = None,
    ) -> Tensor:  # (B, T), (T,) -> (B, T, C)
        if position is None:
            position = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.token_embedding(tokens) + self.position_embedding(position)  # (B, T, C)
        for layer, block in enumerate(self.blocks):
            x = block(x, position, cache[layer] if cache else None, mask)
        normed: Tensor = self.ln_final(x)
        return normed

    def logits(self, x: Tensor) -> Tensor:  # (..., C) -> (..., V), by the embedding of the tokens
        return x @ self.token_embedding.weight.T


def model(preset: Preset) -> GPT:
    return GPT(preset)


def loss(model: GPT, tokens: Tensor, targets: Tensor) -> Tensor:
    logits = model.logits(model(tokens))  # (B, T, V)
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def empty_cache(model: GPT, batch: int) -> Cache:
    preset, weight = model.preset, model.token_embedding.weight
    shape = (batch, preset.heads, preset.context, preset.width // preset.heads)
    return [(weight.new_zeros(shape), weight.new_zeros(shape)) for _ in range(preset.layers)]


def prefill(model: GPT, cache: Cache, prompt: Tensor) -> Tensor:  # (B, P) -> (B, V)
    return model.logits(model(prompt, cache=cache)[:, -1])


def decode(model: GPT, cache: Cache, token: Tensor, position: Tensor) -> Tensor:  # (B,), () -> (B, V)
    mask = torch.arange(model.preset.context, device=token.device) <= position  # (context,)
    x = model(token[:, None], position[None], cache, mask[None])  # (B, 1, C)
    return model.logits(x[:, 0])
