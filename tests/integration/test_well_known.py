"""Libraries' models by workload: counted in the frameworks, they do the specified work, and one block fewer is seen."""

from __future__ import annotations

import importlib
import importlib.util
from types import ModuleType

import pytest

from benchmarks.well_known import unequal_work
from harness import frameworks, workloads
from harness.gate.check import timed_job
from harness.record import Case, Contender
from harness.workloads import Job
from tests.requirement import require

pytestmark = pytest.mark.frameworks

STACKS = {"torch": ("torch",), "jax": ("jax", "flax", "optax")}
"""Those whose library is in the tests' environment, and what it needs; KerasHub and torchvision are not there."""


def models(stack: str) -> ModuleType:
    absent = [name for name in STACKS[stack] if importlib.util.find_spec(name) is None]
    require("frameworks", not absent, f"not installed here: {', '.join(absent)}")
    return importlib.import_module(f"benchmarks.well_known.{frameworks.info(stack).framework}")


def jobs(stack: str, models: ModuleType) -> list[Job]:
    """The training of each model, at the smallest preset that it fits."""
    contender = Contender(stack=stack, mode=next(iter(frameworks.info(stack).modes)))
    made = []
    for name, known in models.MODELS.items():
        presets = workloads.get(name).presets
        if known.fits(presets["smoke"]):
            case = Case(workload=name, preset="smoke", task="train", batch=2, cores=1)
            made.append(timed_job(case, contender))
    return made


@pytest.mark.parametrize("stack", STACKS)
def test_they_do_the_specified_work_and_a_block_fewer_is_seen(stack: str) -> None:
    theirs = models(stack)
    for job in jobs(stack, theirs):
        known = theirs.MODELS[job.workload.name]
        work = theirs.work(job, known.build)
        assert work.flops is not None
        assert unequal_work(job.workload, job.preset, job.batch, known, work) is None, job.workload.name
        if "layers" in job.preset._fields:
            shorter = theirs.work(job._replace(preset=job.preset._replace(layers=1)), known.build)
            assert unequal_work(job.workload, job.preset, job.batch, known, shorter), job.workload.name
            same_size = work._replace(flops=shorter.flops)
            assert "FLOPs" in str(unequal_work(job.workload, job.preset, job.batch, known, same_size))
