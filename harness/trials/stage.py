"""What every trial does first: import, configure, data, build, load weights."""

from __future__ import annotations

import hashlib
import json
import os
from typing import NamedTuple

import msgspec

from harness import environment, frameworks, thread_pools, workloads
from harness.draft import Draft
from harness.frameworks import Stack, Unsupported
from harness.record import Case
from harness.workloads import Batches, Job, Weights, Work, Workload


class Stage(NamedTuple):
    """A built work, its weights loaded, not yet stepped."""

    stack: Stack
    workload: Workload
    weights: Weights
    batches: Batches
    work: Work


def import_and_configure(draft: Draft, cache_dir: str | None) -> Stack:
    """The stack, imported and set; fills the draft's settings and software.

    The variables that a framework reads at import are set before it, and the process is pinned to the case's
    cores: some thread pools (XLA's) know no other limit.
    """
    case, contender = draft.spec.case, draft.spec.contender
    pin(case.cores)
    thread_pools.limit(case.cores)
    os.environ.update(frameworks.environment(contender.stack, case.cores, cache_dir))
    with draft.phase("import"):
        stack = frameworks.load(contender.stack)
    draft.software = environment.software(stack, draft.spec.image)
    with draft.phase("configure"):
        draft.settings = stack.configure(contender, case.cores, draft.spec.seed)
    return stack


def pin(cores: int) -> None:
    """Give the process exactly ``cores`` of its cores; ``Unsupported`` if it may not use that many."""
    allowed = environment.cores_allowed()
    if allowed < cores:
        raise Unsupported(
            f"the case asks for {cores} cores, this process may use {allowed}",
            "run a case with fewer cores, or allow this process more",
        )
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])


def build(draft: Draft, stack: Stack, case: Case, seed: int) -> Stage:
    """The work of ``case`` with the weights and batches of ``seed``."""
    workload = workloads.get(case.workload)
    config = json.dumps(workload.config(case.preset), sort_keys=True)
    draft.workload_config_sha256 = hashlib.sha256(config.encode()).hexdigest()
    with draft.phase("data"):
        weights = workload.weights(case.preset, seed)
        batches = workload.batches(case.preset, case.batch, seed)
    with draft.phase("build"):
        job = Job(workload, case, draft.spec.contender, weights, batches)
        try:
            work = workloads.build(job, stack)
        except ModuleNotFoundError as error:
            if not (error.name or "").startswith(workloads.__name__):
                raise
            raise Unsupported(f"the workload {workload.name} has no file for {stack.name}") from error
    with draft.phase("load_weights"):
        work.reset(weights)
    layout = getattr(
        work, "layout", None
    )  # a work that lays out its tensors otherwise than its stack says so
    if layout is not None and draft.settings is not None:
        draft.settings = msgspec.structs.replace(draft.settings, layout=layout)
    return Stage(stack, workload, weights, batches, work)
