"""mlp in PyTorch: ``nn.Sequential``, ``loss.backward()`` and ``optim.SGD``."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.frameworks import Stack
from harness.workloads import Job, Weights


class Mlp(nn.Module):
    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.dense = nn.ModuleList(nn.Linear(n_in, n_out) for n_in, n_out in itertools.pairwise(widths))

    def forward(self, images: Tensor) -> Tensor:  # (B, 8, 8)
        x = images.flatten(1)  # (B, 64), row by row
        for hidden in self.dense[:-1]:
            x = F.relu(hidden(x))  # (B, width)
        logits: Tensor = self.dense[-1](x)  # (B, classes)
        return logits


class TorchWork:
    def __init__(self, job: Job, stack: Stack) -> None:
        on_gpu = job.case.device == "gpu"
        widths = job.workload.presets[job.case.preset].widths
        self.model = Mlp(widths).to("cuda" if on_gpu else "cpu")
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
        self.batches = list(zip(*(stack.to_device(array) for array in job.batches), strict=True))
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
        return {
            name: np.array(parameter.detach().cpu().numpy().T, order="C")  # (out, in) -> (in, out)
            for name, parameter in zip(self.names(), self.model.parameters(), strict=True)
        }

    @torch.no_grad()
    def reset(self, weights: Weights) -> None:
        for name, parameter in zip(self.names(), self.model.parameters(), strict=True):
            parameter.copy_(torch.from_numpy(np.ascontiguousarray(weights[name].T)))
        for state in self.optimizer.state.values():
            state["momentum_buffer"].zero_()
        self.model.train(self.step == self.train_step)
        self.stream = itertools.cycle(self.batches)

    def names(self) -> list[str]:
        """Canonical names in the order of ``model.parameters()``."""
        return [
            f"dense{layer}.{part}"
            for layer in range(1, len(self.model.dense) + 1)
            for part in ("kernel", "bias")
        ]


def build(job: Job, stack: Stack) -> TorchWork:
    return TorchWork(job, stack)
