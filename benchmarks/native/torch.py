"""PyTorch: the quickstart's loop; models as torchvision (ResNet) and nanoGPT write them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.workloads import Job
from harness.workloads.specification import SGD


def convstack(preset: Any) -> nn.Module:
    layers: list[nn.Module] = []
    for c_in, c_out in itertools.pairwise((3, *preset.channels)):
        layers += [nn.Conv2d(c_in, c_out, 3, padding=1), nn.MaxPool2d(2, 2)]
    features = (preset.size >> len(preset.channels)) ** 2 * preset.channels[-1]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(features, preset.classes))


def mlp(preset: Any) -> nn.Module:
    layers: list[nn.Module] = [nn.Flatten()]
    for n_in, n_out in itertools.pairwise(preset.widths):
        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class Bottleneck(nn.Module):
    """torchvision's, with the stride in the 3 x 3 convolution."""

    def __init__(self, inplanes: int, planes: int, stride: int, downsample: nn.Module | None) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inplanes, planes, kernel_size=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, kernel_size=3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, planes * 4, kernel_size=1, bias=False)
        self.bn3 = nn.BatchNorm2d(planes * 4)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        identity = x
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        if self.downsample is not None:
            identity = self.downsample(x)
        out += identity
        return self.relu(out)  # type: ignore[no-any-return]


def resnet50(preset: Any) -> nn.Module:
    inplanes = preset.widths[0]
    layers: list[nn.Module] = [
        nn.Conv2d(3, inplanes, kernel_size=7, stride=2, padding=3, bias=False),
        nn.BatchNorm2d(inplanes),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(kernel_size=3, stride=2, padding=1),
    ]
    for stage, (blocks, planes) in enumerate(zip(preset.depths, preset.widths, strict=True)):
        for block in range(blocks):
            stride = 2 if stage > 0 and block == 0 else 1
            downsample = None
            if stride != 1 or inplanes != planes * 4:
                projection = nn.Conv2d(inplanes, planes * 4, kernel_size=1, stride=stride, bias=False)
                downsample = nn.Sequential(projection, nn.BatchNorm2d(planes * 4))
            layers.append(Bottleneck(inplanes, planes, stride, downsample))
            inplanes = planes * 4
    return nn.Sequential(
        *layers, nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.Linear(inplanes, preset.classes)
    )


class Block(nn.Module):
    """nanoGPT's, with the tanh form of GELU."""

    def __init__(self, preset: Any) -> None:
        super().__init__()
        n_embd, self.n_head = preset.width, preset.heads
        self.ln_1 = nn.LayerNorm(n_embd)
        self.c_attn = nn.Linear(n_embd, 3 * n_embd)
        self.c_proj = nn.Linear(n_embd, n_embd)
        self.ln_2 = nn.LayerNorm(n_embd)
        self.mlp = nn.Sequential(
            nn.Linear(n_embd, 4 * n_embd), nn.GELU(approximate="tanh"), nn.Linear(4 * n_embd, n_embd)
        )

    def attend(self, x: Tensor) -> Tensor:
        B, T, C = x.size()
        heads = (
            one.view(B, T, self.n_head, C // self.n_head).transpose(1, 2)
            for one in self.c_attn(x).split(C, dim=2)
        )
        y = F.scaled_dot_product_attention(*heads, is_causal=True)
        return self.c_proj(y.transpose(1, 2).contiguous().view(B, T, C))  # type: ignore[no-any-return]

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attend(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))  # type: ignore[no-any-return]


class GPT(nn.Module):
    def __init__(self, preset: Any) -> None:
        super().__init__()
        self.wte = nn.Embedding(preset.vocabulary, preset.width)
        self.wpe = nn.Embedding(preset.context, preset.width)
        self.h = nn.ModuleList(Block(preset) for _ in range(preset.layers))
        self.ln_f = nn.LayerNorm(preset.width)
        self.lm_head = nn.Linear(preset.width, preset.vocabulary, bias=False)
        nn.init.normal_(self.wte.weight, std=0.02)
        self.lm_head.weight = self.wte.weight

    def forward(self, idx: Tensor) -> Tensor:  # (B, T) -> (B, V, T), the order that cross_entropy takes
        pos = torch.arange(idx.size(1), device=idx.device)
        x = self.wte(idx) + self.wpe(pos)
        for block in self.h:
            x = block(x)
        return self.lm_head(self.ln_f(x)).transpose(1, 2)  # type: ignore[no-any-return]


MODELS: dict[str, Callable[[Any], nn.Module]] = {
    "convstack": convstack,
    "mlp": mlp,
    "resnet50": resnet50,
    "gpt": GPT,
}


def loop(job: Job, build: Callable[[Any], nn.Module]) -> Callable[[int], Any]:
    """In the contender's layout; ``channels-last`` as PyTorch's tutorial on memory formats has it."""
    last = job.contender.variant == "channels-last"
    memory_format = torch.channels_last if last else torch.contiguous_format
    model = build(job.preset).to(memory_format=memory_format)

    def batches(name: str) -> list[Tensor]:
        tensors = [torch.tensor(batch) for batch in job.batches[name]]
        if job.workload.inputs[name].axes != "NHWC":
            return tensors
        return [one.permute(0, 3, 1, 2).contiguous(memory_format=memory_format) for one in tensors]

    *given, target = job.workload.tasks["train"].inputs
    x = list(zip(*map(batches, given), strict=True))
    return train(job, model, x, batches(target)) if job.case.task == "train" else predict(model, x)


def train(job: Job, model: nn.Module, x: list[tuple[Tensor, ...]], y: list[Tensor]) -> Callable[[int], Any]:
    declared = job.workload.optimizer
    decay = [p for p in model.parameters() if p.dim() >= 2]
    nodecay = [p for p in model.parameters() if p.dim() < 2]
    groups = [
        {"params": decay, "weight_decay": declared.weight_decay},
        {"params": nodecay, "weight_decay": 0.0},
    ]
    optimizer: torch.optim.Optimizer
    if isinstance(declared, SGD):
        optimizer = torch.optim.SGD(groups, lr=declared.lr, momentum=declared.momentum)
    else:
        optimizer = torch.optim.AdamW(groups, lr=declared.lr, betas=(declared.beta1, declared.beta2))
    loss_fn = nn.CrossEntropyLoss()
    steps = itertools.count()
    model.train()

    def run(n: int) -> Any:
        for step in itertools.islice(steps, n):
            if declared.schedule is not None:
                for group in optimizer.param_groups:
                    group["lr"] = declared.lr * declared.schedule.factor(step)
            pred = model(*x[step % len(x)])
            loss = loss_fn(pred, y[step % len(y)])
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        return loss

    return run


def predict(model: nn.Module, x: list[tuple[Tensor, ...]]) -> Callable[[int], Any]:
    model.eval()

    def run(n: int) -> Any:
        with torch.no_grad():
            for step in range(n):
                pred = model(*x[step % len(x)])
        return pred

    return run
