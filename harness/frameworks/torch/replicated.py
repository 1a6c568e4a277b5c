"""A model in DistributedDataParallel, and all devices' models as one driver."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from harness import data_parallel, replicas
from harness.frameworks import State
from harness.frameworks.torch.driver import TorchDriver
from harness.workloads import Job


class ReplicaDriver(TorchDriver):
    """One device's model; every process builds and steps its own at the same time. The optimizer steps what
    DistributedDataParallel has averaged."""

    def __init__(self, job: Job, stack: Any) -> None:
        super().__init__(job._replace(file=_Synchronized(job.file)), stack)
        self.forward_loss = DistributedDataParallel(_Loss(self.model, self.forward_loss))


class _Synchronized:
    """A workload's file whose model has SyncBatchNorm where it has BatchNorm."""

    def __init__(self, file: Any) -> None:
        self.file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)

    def model(self, preset: Any) -> nn.Module:
        model: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(self.file.model(preset))
        return model


class _Loss(nn.Module):
    """The model and its loss as one module: a loss may use more of a model than a call of it."""

    def __init__(self, model: nn.Module, loss: Callable[..., Tensor]) -> None:
        super().__init__()
        self.model, self.loss = model, loss

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.loss(*inputs)


class Replicated:
    """The device of this process, and through ``replicas`` the others: what one is told, all do."""

    def __init__(self, job: Job, stack: Any) -> None:
        self.job, self.count = job, job.case.device_count
        replicas.tell_each("build", [(replicas.described(job, rank),) for rank in range(1, self.count)])
        self.own = ReplicaDriver(job._replace(batches=data_parallel.part(job, job.batches, 0)), stack)
        replicas.heard()

    def run(self, n: int) -> Any:
        """Ends when the other devices have done their steps too."""
        replicas.tell("run", n)
        output = self.own.run(n)
        replicas.heard()
        return output

    def outputs(self, output: Any) -> dict[str, np.ndarray]:
        """The loss of the whole batch: the mean over its equal parts."""
        replicas.tell("outputs")
        every = [self.own.outputs(output), *replicas.heard()]
        return {name: np.asarray(np.mean([one[name] for one in every], axis=0)) for name in every[0]}

    def penalty(self) -> float:
        return self.own.penalty()

    def state(self) -> State:
        return self.own.state()

    def reset(self, tensors: Mapping[str, np.ndarray]) -> None:
        replicas.tell("reset", dict(tensors))
        self.own.reset(tensors)
        replicas.heard()

    def feed(self, batches: Mapping[str, np.ndarray]) -> None:
        parts = [data_parallel.part(self.job, batches, rank) for rank in range(self.count)]
        replicas.tell_each("feed", [(one,) for one in parts[1:]])
        self.own.feed(parts[0])
        replicas.heard()

    def steps_done(self) -> int:
        return self.own.steps_done()

    def apart(self) -> float:
        replicas.tell("tensors")
        own = self.own.state().tensors
        others = replicas.heard()
        return max(
            float(np.max(np.abs(one[name] - own[name]), initial=0.0)) for one in others for name in own
        )
