"""Several devices in one case: who may share a step, which part is whose, what belongs to the work; one as ever."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from framebench.records.work_tokens import SHARED, files, work_hash
from harness import data_parallel, frameworks, workloads
from harness.frameworks import Unsupported
from harness.record import Case, Contender, TrialKind

ROOT = Path(__file__).resolve().parents[2]
CASE = Case(workload="gpt", preset="smoke", task="train", batch=4, cores=2, device_count=2)
RESNET = msgspec.structs.replace(CASE, workload="resnet50", batch=8)
TORCH = Contender(stack="torch", mode="eager")
JAX = Contender(stack="jax", mode="compiled")


def changed(case: Case, **values: Any) -> Case:
    return msgspec.structs.replace(case, **values)


@pytest.mark.parametrize(
    ("case", "contender", "kind", "reason"),
    [
        (changed(CASE, task="decode"), JAX, "timing", "only training on ready batches is shared"),
        (changed(CASE, workload="input_pipeline"), JAX, "timing", "only training on ready batches is shared"),
        (changed(CASE, device_count=3, cores=3), JAX, "timing", "a batch of 4 has no 3 equal parts"),
        (changed(CASE, cores=3), TORCH, "timing", "3 cores have no 2 equal shares"),
        (changed(CASE, cores=1, device="gpu"), TORCH, "timing", "1 cores are too few for 2 processes"),
        (CASE, Contender(stack="numpy", mode="eager"), "timing", "has no way here of sharing a step"),
        (CASE, TORCH, "memory", "memory of several processes is not added up"),
        (RESNET, TORCH, "timing", "SyncBatchNorm takes no tensor on a CPU"),
        (RESNET, Contender(stack="tensorflow", mode="eager"), "timing", "BatchNorm in Keras' layers alone"),
        (CASE, Contender(stack="tensorflow", mode="compiled", variant="xla"), "timing", "for one device"),
        (changed(CASE, device="gpu"), Contender(stack="tensorflow", mode="eager"), "timing", "one GPU"),
        (CASE, Contender(stack="keras-torch", mode="eager", variant="loop"), "timing", "JAX backend alone"),
    ],
)
def test_who_cannot_share_a_step_says_why(
    case: Case, contender: Contender, kind: TrialKind, reason: str
) -> None:
    with pytest.raises(Unsupported, match=reason):
        data_parallel.means(kind, case, contender)


def test_who_can_names_its_means() -> None:
    assert data_parallel.means("timing", CASE, TORCH)[:2] == ("DistributedDataParallel over gloo", 2)
    assert data_parallel.means("timing", RESNET, JAX).words == "jax.sharding"
    assert data_parallel.means("memory", RESNET, JAX).processes == 1
    assert "nccl" in data_parallel.means("timing", changed(RESNET, device="gpu"), TORCH).words


@pytest.mark.parametrize("contender", [TORCH, Contender(stack="numpy", mode="eager")])
def test_one_device_needs_no_means(contender: Contender) -> None:
    for task in ("train", "decode"):
        case = changed(CASE, device_count=1, task=task)
        assert data_parallel.means("timing", case, contender) == ("", 1, {})


def test_the_parts_of_a_batch_are_equal_and_make_the_whole() -> None:
    workload = workloads.get(CASE.workload)
    preset = workload.presets[CASE.preset]
    drawn = workload.batches(preset, CASE.batch, 0)
    job: Any = workloads.Job(
        workload, None, preset, CASE.batch, "fp32", CASE, TORCH, weights={}, batches=drawn
    )
    parts = [data_parallel.part(job, drawn, rank) for rank in range(2)]
    for name in job.work.inputs:
        assert parts[0][name].shape[:2] == (len(drawn[name]), CASE.batch // 2)
        assert np.array_equal(np.concatenate([part[name] for part in parts], axis=1), drawn[name])


def test_a_gate_s_batch_that_cannot_be_shared_is_refused() -> None:
    case = changed(CASE, device_count=4, cores=4)
    workload = workloads.get(case.workload)
    job: Any = workloads.Job(workload, None, None, 2, "fp32", case, JAX, weights={}, batches={})
    with pytest.raises(Unsupported, match="gate's batch of 2 has no 4 equal parts"):
        data_parallel.build(job, None)  # type: ignore[arg-type]


PAIRS = [(stack, workload) for stack in sorted(frameworks.stacks()) for workload in workloads.names()]


@pytest.mark.parametrize(("stack", "workload"), PAIRS)
def test_what_shares_a_step_is_no_part_of_the_work_on_one_device(stack: str, workload: str) -> None:
    """So that a change there orphans no result: the files are those of before there were several devices."""
    alone = files(ROOT, stack, workload)
    framework = frameworks.info(stack).framework
    shared = set(files(ROOT, stack, workload, 2)) - set(alone)
    offered = (ROOT / "harness" / "frameworks" / framework / SHARED).is_file()
    assert not {name for name in alone if name.endswith((SHARED, "replicas.py"))}
    assert set(alone) < set(files(ROOT, stack, workload, 2))
    assert SHARED in shared and (f"frameworks/{framework}/{SHARED}" in shared) == offered


def test_the_work_of_several_devices_is_another_one() -> None:
    preset = next(iter(workloads.get("gpt").presets))
    assert work_hash(ROOT, "torch", "gpt", preset) == work_hash(ROOT, "torch", "gpt", preset, 1)
    assert work_hash(ROOT, "torch", "gpt", preset) != work_hash(ROOT, "torch", "gpt", preset, 2)
    torch = files(ROOT, "torch", "gpt", 2)
    assert "replicas.py" in torch and "frameworks/torch/replicated.py" in torch
    assert not {name for name in torch if "frameworks/jax" in name or "frameworks/keras" in name}
