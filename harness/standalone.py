"""The trial that an image runs by itself: ``docker run <image>`` with nothing on its standard input."""

from __future__ import annotations

import hashlib
import os
import secrets
import statistics
import time
from collections.abc import Mapping
from pathlib import Path

from harness import frameworks, workloads
from harness.cores import cores_allowed
from harness.frameworks import StackInfo, exported
from harness.frameworks.library import LibraryInfo
from harness.manifest import LOCK_VARIABLE
from harness.record import Case, Contender, ImageRef, Protocol, Provenance, Record, Task, TrialSpec

EXPECTED = (
    "standard input is empty: expected a trial spec as JSON there, or, in an image of framebench, the variables"
    " FRAMEBENCH_IMAGE and FRAMEBENCH_STACK, from which the harness makes a small trial by itself"
)

_PROTOCOL = Protocol(
    name="standalone",
    warmup_window=10,
    warmup_tolerance=0.02,
    warmup_agreements=1,
    warmup_min_s=0.5,
    warmup_max_blocks=60,
    warmup_max_s=4.0,
    block_ms=50.0,
    block_max_ms=250.0,
    measure_blocks=5,
    measure_s=1.0,
    measure_max_s=5.0,
)


def default_spec(variables: Mapping[str, str] = os.environ) -> TrialSpec | None:
    """A small trial of the image's stack, on all cores it may use; null outside an image.

    What only a host knows is left empty: an image cannot name its own digest, nor the machine it is on.
    """
    image, stack = variables.get("FRAMEBENCH_IMAGE"), variables.get("FRAMEBENCH_STACK")
    if not image or not stack:
        return None
    known = frameworks.stacks()
    mode, variant = known[stack].plainest if stack in known else ("eager", "")
    return TrialSpec(
        kind="timing",
        trial_id=f"{time.time_ns() // 1_000_000:x}-{secrets.token_hex(8)}",
        campaign_id="standalone",
        round=1,
        seed=1,
        case=_case(known.get(stack)),
        contender=Contender(stack=stack, mode=mode, variant=variant),
        protocol=_PROTOCOL,
        image=ImageRef(name=image, lock_sha256=_sha256(variables.get(LOCK_VARIABLE))),
        provenance=Provenance(
            executor="docker",
            host_id="",
            git_commit=None,
            dirty=None,
            harness_tree_sha256="",
            work_hash="",
        ),
    )


def _case(stack: StackInfo | None) -> Case:
    """Training, where the stack trains; a library's last task in the first workload that has a file for it."""
    if isinstance(stack, LibraryInfo):
        name = next(one for one in workloads.names() if workloads.has_file(one, stack.framework))
        preset = workloads.get(name).small[0]
        return Case(workload=name, preset=preset, task=stack.tasks[-1], batch=4, cores=cores_allowed())
    trains = stack is None or exported.refusal(stack, "train") is None
    task: Task = "train" if trains else "infer"
    return Case(workload="mlp", preset="smoke", task=task, batch=32, cores=cores_allowed())


def sentence(record: Record, where: str) -> str:
    """For whoever reads the terminal: what ran, how it ended, and where the record is."""
    outcome, timing = record.outcome, record.timing
    ended = f"{outcome.status}: {outcome.reason}" if outcome.reason else outcome.status
    if outcome.status == "ok" and timing is not None:
        step_ms = statistics.median(block.wall_ns / block.steps for block in timing.blocks) / 1e6
        ended = f"{step_ms:.3g} ms per step of {timing.units_per_step} {timing.unit}"
    return (
        f"harness: ran {record.contender.slug} on {record.case.path} in {record.image.name}, {ended};"
        f" the record is {where}"
    )


def _sha256(path: str | None) -> str | None:
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest() if path else None
    except OSError:  # the manifest check says so
        return None
