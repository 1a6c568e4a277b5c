"""bert in PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, gelu, scaled_dot_product_attention

from harness.workloads.bert.spec import Preset


class Block(nn.Module):
    def __init__(self, preset: Preset) -> None:
        super().__init__()
        width, self.heads = preset.width, preset.heads
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.ln1 = nn.LayerNorm(width, eps=preset.epsilon)
        self.fc, self.out = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.ln2 = nn.LayerNorm(width, eps=preset.epsilon)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:  # (B, T, C), (B, 1, 1, T)
        B, T, C = x.shape
        q, k, v = self.qkv(x).view(B, T, 3, self.heads, -1).permute(2, 0, 3, 1, 4)  # (B, H, T, D) each
        y = scaled_dot_product_attention(q, k, v, attn_mask=mask)
        x = self.ln1(x + self.proj(y.transpose(1, 2).reshape(B, T, C)))
        normed: Tensor = self.ln2(x + self.out(gelu(self.fc(x))))
        return normed  # (B, T, C)


class Bert(nn.Module):
    def __init__(self, preset: Preset) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(preset.vocabulary, preset.width)
        self.position_embedding = nn.Embedding(preset.context, preset.width)
        self.ln_embedding = nn.LayerNorm(preset.width, eps=preset.epsilon)
        self.blocks = nn.ModuleList(Block(preset) for _ in range(preset.layers))
        self.pooler = nn.Linear(preset.width, preset.width)
        self.classifier = nn.Linear(preset.width, preset.classes)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:  # (B, T) each -> (B, classes)
        position = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.ln_embedding(self.token_embedding(tokens) + self.position_embedding(position))  # (B, T, C)
        there = mask.bool()[:, None, None]  # (B, 1, 1, T)
        for block in self.blocks:
            x = block(x, there)
        logits: Tensor = self.classifier(torch.tanh(self.pooler(x[:, 0])))
        return logits


def model(preset: Preset) -> nn.Module:
    return Bert(preset)


def loss(model: nn.Module, tokens: Tensor, mask: Tensor, label: Tensor) -> Tensor:
    return cross_entropy(model(tokens, mask), label)
