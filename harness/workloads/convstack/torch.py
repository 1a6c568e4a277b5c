"""convstack in PyTorch: an ``nn.Module``, ``loss.backward()`` and ``optim.SGD``; NCHW, contiguous."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.frameworks import Stack
from harness.workloads import Job, Weights


class ConvStack(nn.Module):
    def __init__(self, size: int, channels: tuple[int, ...], classes: int) -> None:
        super().__init__()
        stages: list[nn.Module] = []
        for c_in, c_out in zip((3, *channels), channels, strict=False):
            stages += [nn.Conv2d(c_in, c_out, kernel_size=3, padding=1), nn.MaxPool2d(2, 2)]
        self.stages = nn.Sequential(*stages)
        self.classifier = nn.Linear((size >> len(channels)) ** 2 * channels[-1], classes)

    def forward(self, images: Tensor) -> Tensor:  # (B, 3, S, S)
        x = self.stages(images)  # (B, C, S / 2^k, S / 2^k)
        x = x.permute(0, 2, 3, 1).flatten(1)  # (B, features), in the order H, W, C
        logits: Tensor = self.classifier(x)  # (B, classes)
        return logits


class TorchWork:
    def __init__(self, job: Job, stack: Stack) -> None:
        preset = job.workload.presets[job.case.preset]
        on_gpu = job.case.device == "gpu"
        self.model = ConvStack(preset.size, preset.channels, preset.classes).to("cuda" if on_gpu else "cpu")
        self.optimizer = torch.optim.SGD(
            self.model.parameters(),
            lr=job.workload.learning_rate,
            momentum=job.workload.momentum,
            dampening=0.0,
            weight_decay=0.0,
            nesterov=False,
            foreach=on_gpu or job.contender.mode == "compiled",  # PyTorch's own choice, made explicit
            fused=False,
        )
        images = np.ascontiguousarray(job.batches.x.transpose(0, 1, 4, 2, 3))  # (N, B, 3, S, S)
        self.batches = list(zip(stack.to_device(images), stack.to_device(job.batches.y), strict=True))
        self.forward = stack.compile(self.model)
        self.forward_loss = stack.compile(self.loss)
        # optimizer.step holds a graph break of its own, so it is compiled apart and not as one graph
        self.update = stack.compile(self.optimizer.step, fullgraph=False)
        self.step = self.train_step if job.case.task == "train" else self.infer_step
        self.reset(job.weights)

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(self.model(images), labels, reduction="mean")

    def train_step(self, images: Tensor, labels: Tensor) -> Tensor:
        self.optimizer.zero_grad(set_to_none=True)
        loss: Tensor = self.forward_loss(images, labels)
        loss.backward()  # type: ignore[no-untyped-call]
        self.update()
        return loss.detach()

    @torch.inference_mode()
    def infer_step(self, images: Tensor, labels: Tensor) -> Tensor:
        logits: Tensor = self.forward(images)
        return logits

    def run(self, n: int) -> Any:
        for images, labels in itertools.islice(self.stream, n):
            output = self.step(images, labels)
        return output

    def weights(self) -> dict[str, np.ndarray]:
        arrays = {}
        for name, parameter in zip(self.names(), self.model.parameters(), strict=True):
            array = parameter.detach().cpu().numpy()
            # OIHW -> HWIO, (out, in) -> (in, out)
            arrays[name] = np.array(array.transpose(2, 3, 1, 0) if array.ndim == 4 else array.T, order="C")
        return arrays

    @torch.no_grad()
    def reset(self, weights: Weights) -> None:
        for name, parameter in zip(self.names(), self.model.parameters(), strict=True):
            array = weights[name]
            array = array.transpose(3, 2, 0, 1) if array.ndim == 4 else array.T  # HWIO -> OIHW
            parameter.copy_(torch.from_numpy(np.ascontiguousarray(array)))
        for state in self.optimizer.state.values():
            state["momentum_buffer"].zero_()
        self.model.train(self.step == self.train_step)
        self.stream = itertools.cycle(self.batches)

    def names(self) -> list[str]:
        """Canonical names in the order of ``model.parameters()``."""
        stages = len(self.model.stages) // 2
        layers = [f"conv{stage}" for stage in range(1, stages + 1)] + ["classifier"]
        return [f"{layer}.{part}" for layer in layers for part in ("kernel", "bias")]


def build(job: Job, stack: Stack) -> TorchWork:
    return TorchWork(job, stack)
