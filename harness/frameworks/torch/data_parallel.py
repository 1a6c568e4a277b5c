"""PyTorch shares a step by DistributedDataParallel: a process for each device, gradients averaged while they come in.

Collectives go by NCCL between GPUs and by Gloo on a CPU. BatchNorm is PyTorch's SyncBatchNorm, because the statistics
that are specified are the whole batch's; PyTorch has it for GPUs alone.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from harness import data_parallel
from harness.data_parallel import Means, SharedDriver
from harness.frameworks import Driver, Stack, Unsupported
from harness.record import Case, Contender
from harness.workloads import Job

PATIENCE = timedelta(minutes=5)  # with a device that does not answer; it is half an hour otherwise


def means(case: Case, contender: Contender) -> Means:
    if case.device == "cpu" and data_parallel.averages_over_batch(case):
        raise Unsupported(
            "PyTorch's SyncBatchNorm takes no tensor on a CPU, and BatchNorm by itself would average over a device's "
            "part of the batch",
            "run it on GPUs, or another workload",
        )
    return Means(
        words=f"DistributedDataParallel over {_backend(case)}",
        processes=case.device_count,
        environment={"GLOO_SOCKET_IFNAME": "lo"},  # all on one machine, which may have no network
    )


def join(case: Case, rank: int, meeting: str) -> None:
    import torch

    if case.device == "gpu":
        torch.cuda.set_device(rank)
    torch.distributed.init_process_group(
        _backend(case),
        init_method=f"file://{meeting}",
        rank=rank,
        world_size=case.device_count,
        timeout=PATIENCE,
    )


def _backend(case: Case) -> str:
    return "nccl" if case.device == "gpu" else "gloo"


def build(job: Job, stack: Stack) -> SharedDriver:
    from harness.frameworks.torch.replicated import Replicated

    return Replicated(job, stack)


def replica(job: Job, stack: Any) -> Driver:
    """One device's model, in its own process; ``job`` has that device's part of the batches."""
    from harness.frameworks.torch.replicated import ReplicaDriver

    return ReplicaDriver(job, stack)
