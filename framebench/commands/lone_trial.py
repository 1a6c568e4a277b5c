"""A trial outside any campaign, of which no record is kept: what ``gate`` and ``profile`` start."""

from __future__ import annotations

from typing import Literal

from framebench.errors import UserError
from framebench.executors import Executor, Progress, StackOn, Unavailable
from framebench.records import store
from harness.record import Case, Contender, ImageRef, Protocol, Provenance, TrialKind, TrialSpec


def environment_of(executor: Executor, wanted: StackOn, say: Progress) -> ImageRef:
    """What the stack's trials run in, made if it is missing; ``UserError`` where it cannot be had."""
    prepared = executor.refusal(wanted) or executor.prepare([wanted], say)[wanted]
    if isinstance(prepared, Unavailable):
        raise UserError(prepared.reason + (f"; {prepared.mend}" if prepared.mend else ""))
    return prepared


def lone_trial(
    kind: TrialKind,
    executor: Executor,
    case: Case,
    contender: Contender,
    image: ImageRef,
    protocol: Protocol,
    timeout_s: float,
    cache_state: Literal["cold", "warm"] = "warm",
) -> TrialSpec:
    """The specification of one; nothing is known by the hashes that it leaves empty."""
    return TrialSpec(
        kind=kind,
        trial_id=store.new_trial_id(),
        campaign_id=kind,
        round=0,
        seed=0,
        case=case,
        contender=contender,
        protocol=protocol,
        image=image,
        provenance=Provenance(
            executor=executor.name,  # type: ignore[arg-type]
            host_id="",
            git_commit=None,
            dirty=None,
            harness_tree_sha256="",
            work_hash="",
        ),
        cache_state=cache_state,
        timeout_s=timeout_s,
    )
