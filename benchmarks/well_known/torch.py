"""PyTorch: ``nn.TransformerEncoder``, ``nn.LSTM`` as its tutorials use it, torchvision's ResNet-50."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.well_known import Known, Work
from harness.workloads import Job


def encoder(preset: Any, **form: Any) -> nn.TransformerEncoder:
    layer = nn.TransformerEncoderLayer(
        preset.width,
        preset.heads,
        4 * preset.width,
        dropout=0.0,
        layer_norm_eps=preset.epsilon,
        batch_first=True,
        **form,
    )
    # a nested tensor would leave out the padding, which is part of the work
    return nn.TransformerEncoder(layer, preset.layers, enable_nested_tensor=False)


class Bert(nn.Module):
    def __init__(self, preset: Any) -> None:
        super().__init__()
        self.token = nn.Embedding(preset.vocabulary, preset.width)
        self.position = nn.Embedding(preset.context, preset.width)
        self.norm = nn.LayerNorm(preset.width, eps=preset.epsilon)
        self.encoder = encoder(preset, activation="gelu")
        self.pooler = nn.Linear(preset.width, preset.width)
        self.classifier = nn.Linear(preset.width, preset.classes)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:  # (B, T) each -> (B, classes)
        x = self.token(tokens) + self.position(torch.arange(tokens.size(1)))
        x = self.encoder(self.norm(x), src_key_padding_mask=mask == 0)
        return self.classifier(torch.tanh(self.pooler(x[:, 0])))  # type: ignore[no-any-return]


class Gpt(nn.Module):
    def __init__(self, preset: Any) -> None:
        super().__init__()
        self.token = nn.Embedding(preset.vocabulary, preset.width)
        self.position = nn.Embedding(preset.context, preset.width)
        self.decoder = encoder(preset, activation=nn.GELU(approximate="tanh"), norm_first=True)
        self.norm = nn.LayerNorm(preset.width, eps=preset.epsilon)
        self.head = nn.Linear(preset.width, preset.vocabulary, bias=False)
        nn.init.normal_(self.token.weight, std=0.02)
        self.head.weight = self.token.weight

    def forward(self, tokens: Tensor) -> Tensor:  # (B, T) -> (B, V, T), the order that cross_entropy takes
        length = tokens.size(1)
        past = nn.Transformer.generate_square_subsequent_mask(length)
        x = self.token(tokens) + self.position(torch.arange(length))
        x = self.norm(self.decoder(x, mask=past, is_causal=True))
        return self.head(x).transpose(1, 2)  # type: ignore[no-any-return]


class Lstm(nn.Module):
    def __init__(self, preset: Any) -> None:
        super().__init__()
        self.embedding = nn.Embedding(preset.vocabulary, preset.width)
        self.lstm = nn.LSTM(preset.width, preset.hidden, batch_first=True)
        self.fc = nn.Linear(preset.hidden, preset.classes)

    def forward(self, tokens: Tensor) -> Tensor:  # (B, T) -> (B, classes)
        _, (hidden, _) = self.lstm(self.embedding(tokens))
        return self.fc(hidden[-1])  # type: ignore[no-any-return]


def resnet50(preset: Any) -> nn.Module:
    from torchvision.models import resnet50

    return resnet50(num_classes=preset.classes)  # type: ignore[no-any-return]


MODELS = {
    "bert": Known(Bert, "nn.TransformerEncoder, norms after; to predict, its own fused layer"),
    "gpt": Known(Gpt, "nn.TransformerEncoder with a causal mask, norms before"),
    "lstm": Known(
        Lstm,
        "nn.LSTM with both of its biases trained; ours has one",
        more=lambda preset: 4 * preset.hidden,
    ),
    "resnet50": Known(
        resnet50,
        "torchvision's resnet50, which has one size",
        fits=lambda preset: preset.widths == (64, 128, 256, 512) and preset.depths == (3, 4, 6, 3),
    ),
}


def work(job: Job, build: Callable[[Any], nn.Module]) -> Work:
    """Counted in training mode: ``bert``'s fused layer for predictions is one operation that nobody can look into."""
    model = build(job.preset)
    *given, _ = job.workload.tasks["train"].inputs
    x = [torch.from_numpy(job.batches[name][0]) for name in given]
    with (
        torch.backends.mkldnn.flags(enabled=False),  # an LSTM of oneDNN is one operation too
        sdpa_kernel(SDPBackend.MATH),
        FlopCounterMode(display=False) as counter,
    ):
        model.train()(*(one.permute(0, 3, 1, 2) if one.ndim == 4 else one for one in x))
    return Work(sum(one.numel() for one in model.parameters()), counter.get_total_flops())
