"""lstm in PyTorch."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from harness.workloads.lstm.spec import Preset

NAMES = {
    "lstm.weight_ih_l0": "lstm.kernel",
    "lstm.weight_hh_l0": "lstm.recurrent_kernel",
    "lstm.bias_ih_l0": "lstm.bias",
}


class Lstm(nn.Module):
    def __init__(self, preset: Preset) -> None:
        super().__init__()
        self.embedding = nn.Embedding(preset.vocabulary, preset.width)
        self.lstm = nn.LSTM(preset.width, preset.hidden, batch_first=True)
        self.lstm.bias_hh_l0 = nn.Parameter(  # PyTorch has a second bias: zero, and it stays so
            nn.init.zeros_(self.lstm.bias_hh_l0.detach()), requires_grad=False
        )
        self.classifier = nn.Linear(preset.hidden, preset.classes)
        self.padded = preset.padded

    def forward(self, tokens: Tensor) -> Tensor:  # (B, T)
        x = self.embedding(tokens)  # (B, T, width)
        if self.padded:
            lengths = (tokens != 0).sum(1).cpu()  # (B,); packing wants them on the host
            x = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        _, (h, _) = self.lstm(x)  # (1, B, hidden), each after its own last token
        logits: Tensor = self.classifier(h[0])  # (B, classes)
        return logits


def model(preset: Preset) -> nn.Module:
    return Lstm(preset)


def loss(model: nn.Module, tokens: Tensor, label: Tensor) -> Tensor:
    return F.cross_entropy(model(tokens), label)
