"""What every trial does first: import, configure, data, build, load weights."""

from __future__ import annotations

import os
from typing import NamedTuple

import msgspec

from harness import data_parallel, environment, frameworks, replicas, thread_pools, workloads
from harness.cores import cores_allowed, pinned_to
from harness.draft import Draft
from harness.frameworks import Driver, Stack, Unsupported
from harness.gate import check
from harness.record import UNTIMED, Case
from harness.workloads import Job


class Prepared(NamedTuple):
    """A built driver, its weights loaded, not yet stepped."""

    stack: Stack
    job: Job
    driver: Driver


def import_and_configure(draft: Draft, cache_dir: str | None) -> Stack:
    """The stack, imported and set; fills the draft's settings and software.

    The variables that a framework reads at import are set before it, and the process is pinned to the case's
    cores, from which every framework takes its own defaults; where devices have a process each, these are started, and
    share them. A CPU case sees no GPU.
    """
    case, contender = draft.spec.case, draft.spec.contender
    frameworks.refuse_unknown(contender)
    _refuse_unspecified(case)
    shared = data_parallel.means(draft.spec.kind, case, contender)
    pin(case.cores)
    cores = case.cores // shared.processes
    thread_pools.limit(cores)
    os.environ.update(frameworks.environment(contender.stack, cores, cache_dir))
    os.environ.update(shared.environment)
    if draft.spec.kind in UNTIMED:
        # while OpenMP's waiting threads spun, two PyTorch gates on two cores took 12.9 and 16.1 s, not 5.8 and 11.0
        os.environ["OMP_WAIT_POLICY"] = "passive"
    if case.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    meeting = ""
    if shared.processes > 1:
        meeting = replicas.start(case, contender, draft.spec.seed, shared.processes)
    with draft.phase("import"):
        stack = frameworks.load(contender.stack)
    draft.software = environment.software(stack, draft.spec.image)
    with draft.phase("configure"):
        data_parallel.join(case, contender, 0, meeting)
        draft.settings = stack.configure(case, contender, draft.spec.seed)
    if case.device_count > 1:
        draft.settings = msgspec.structs.replace(
            draft.settings,
            device=f"{draft.settings.device} and {case.device_count - 1} more, by {shared.words}",
            threads=draft.settings.threads | {"processes": shared.processes},
        )
    if case.device == "cpu" and draft.settings.gpus_visible:
        raise RuntimeError(f"{contender.stack} sees {draft.settings.gpus_visible} GPUs in a case for the CPU")
    return stack


def _refuse_unspecified(case: Case) -> None:
    """``Unsupported`` where the workload's folder is broken, or does not offer what the case asks for."""
    try:
        workload = workloads.get(case.workload)
    except KeyError:
        known = ", ".join(workloads.names())
        raise Unsupported(f"this harness has no workload {case.workload!r}", f"it has {known}") from None
    except Exception as error:
        broken = f"{type(error).__name__}: {error}"
        raise Unsupported(
            f"the workload {case.workload} cannot be imported: {broken}", "mend its spec.py"
        ) from error
    if case.preset not in workload.presets:
        raise Unsupported(
            f"{case.workload} has no preset {case.preset!r}", f"it has {', '.join(workload.presets)}"
        )


def pin(cores: int) -> None:
    """Give the process exactly ``cores`` of its cores; ``Unsupported`` if it may not use that many."""
    allowed = cores_allowed()
    if allowed < cores:
        raise Unsupported(
            f"the case asks for {cores} cores, this process may use {allowed}",
            "run a case with fewer cores, or allow this process more",
        )
    os.sched_setaffinity(0, pinned_to()[:cores])


def build(draft: Draft, stack: Stack) -> Prepared:
    """The driver of the spec's case."""
    case, contender = draft.spec.case, draft.spec.contender
    workload = workloads.get(case.workload)
    draft.workload_config_sha256 = workload.config_sha256(workload.presets[case.preset])
    with draft.phase("data"):
        job = check.timed_job(case, contender)
    with draft.phase("build"):
        driver = data_parallel.build(job, stack)
    return Prepared(stack, job, driver)
