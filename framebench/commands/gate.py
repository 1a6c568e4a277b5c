"""``framebench gate``: one implementation through the gate, with every comparison, in seconds."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console

from framebench.campaign.suites import parse_contender
from framebench.commands import unwritten
from framebench.commands.lone_trial import environment_of, lone_trial
from framebench.commands.saying import Sayer
from framebench.errors import UserError
from framebench.executors import Failure, StackOn
from framebench.executors.choose import choose
from framebench.records.zipped import unzipped
from harness import frameworks, workloads
from harness.record import Case, Contender, Protocol, Record

TIMEOUT_S = 900.0


class GateRequest(NamedTuple):
    """What was asked for on the command line; null takes the plainest."""

    workload: str
    stack: str
    mode: str | None
    variant: str | None
    task: str | None
    preset: str | None
    precision: str
    batch: int | None
    executor: str
    all_rows: bool


def run(root: Path, request: GateRequest, console: Console) -> int:
    """Exit code 0 if every case that the stack offers passed, 1 if one did not or nothing could be compared."""
    say = Sayer(console)
    contender = contender_of(request)
    cases = cases_of(request)
    unwritten.refuse(request.workload, request.stack)
    executor = choose(root, request.executor, say)
    environment = environment_of(executor, StackOn(request.stack), say)
    statuses: list[str] = []
    for case in cases:
        spec = lone_trial("parity", executor, case, contender, environment, Protocol(name="gate"), TIMEOUT_S)
        say(f"{case.path}  {contender.slug}")
        answer = executor.run(spec, lambda line: None)
        outcome = answer.outcome
        if isinstance(answer, Record):
            for line in table(answer, request.all_rows):
                say(line)
        if isinstance(answer, Failure) or outcome.status == "crashed":
            for line in outcome.stderr_tail[-12:]:
                say(f"    {line}")
        words = f"{outcome.status}: {outcome.reason}" if outcome.reason else "passed"
        say(f"  {words}" + (f"; {outcome.mend}" if outcome.mend else ""))
        statuses.append(outcome.status)
    return 0 if "ok" in statuses and set(statuses) <= {"ok", "unsupported"} else 1


def contender_of(request: GateRequest) -> Contender:
    """The contender asked for, or the stack's plainest; an unknown name is refused with the known ones."""
    known = frameworks.stacks()
    if request.stack not in known:
        raise UserError(f"there is no stack {request.stack!r}; known are {', '.join(sorted(known))}")
    plainest_mode, plainest_variant = known[request.stack].plainest
    mode = request.mode or plainest_mode
    variants = known[request.stack].modes.get(mode, ("",))  # type: ignore[call-overload]
    plain = plainest_variant if mode == plainest_mode else variants[0]
    slug = "-".join(part for part in (request.stack, mode, request.variant or plain) if part)
    try:
        contender = parse_contender(slug)
        frameworks.refuse_unknown(contender)
    except (ValueError, frameworks.Unsupported) as error:
        mend = getattr(error, "mend", None)
        raise UserError(f"{error}" + (f"; {mend}" if mend else "")) from error
    return contender


def cases_of(request: GateRequest) -> list[Case]:
    """One case for each preset and task that was asked for, at a batch whose shape has a reference, if there is
    one."""
    if request.workload not in (*workloads.names(), workloads.SELF_TEST):
        raise UserError(
            f"there is no workload {request.workload!r}; known are {', '.join(workloads.names())}"
        )
    refuse_broken(request.workload)
    workload = workloads.get(request.workload)
    if request.preset is not None and request.preset not in workload.presets:
        raise UserError(
            f"{request.workload} has no preset {request.preset!r}; it has {', '.join(workload.presets)}"
        )
    if request.task is not None and request.task not in workload.tasks:
        raise UserError(
            f"{request.workload} has no task {request.task!r}; it has {', '.join(workload.tasks)}"
        )
    if request.precision not in workload.precisions:
        raise UserError(
            f"{request.workload} declares no {request.precision}; it has {', '.join(workload.precisions)}"
        )
    sizes = workload.gate.sizes
    return [
        Case(
            workload=request.workload,
            preset=preset,
            task=task,
            batch=request.batch
            or stored_batch(request.workload, preset, task)
            or (sizes[preset].batch if preset in sizes else 1),
            precision=request.precision,  # type: ignore[arg-type]
            cores=1,
        )
        for preset in ([request.preset] if request.preset else workload.small)
        for task in workload.tasks
        if request.task in (None, task)
    ]


def refuse_broken(workload: str) -> None:
    """``UserError`` where the folder is there and its specification cannot be imported."""
    try:
        workloads.get(workload)
    except Exception as error:
        raise UserError(
            f"harness/workloads/{workload}/spec.py cannot be imported: {type(error).__name__}: {error}"
        ) from error


def stored_batch(workload: str, preset: str, task: str) -> int | None:
    """The smallest batch of which the timed shape has a reference; of more than one sample if there is such."""
    stored = workloads.FOLDER / workload / "reference.json"
    if not stored.exists():
        return None
    shapes = json.loads(stored.read_text()).get("shapes", {})
    keys = [key.split("/") for key in shapes if key.startswith(f"{preset}/{task}/b")]
    found = {int(parts[2][1:]) for parts in keys}
    return min(found - {1} or found, default=None)  # of one sample alone nobody sees another's left out


def table(record: Record, all_rows: bool) -> Iterator[str]:
    """Value and tolerance of each comparison: of each part what failed and the nearest, or every row."""
    if record.parity is None:
        return
    rows = _all_comparisons(record)
    width = max((len(row["what"]) for part in rows for row in part["diffs"]), default=0)
    for part, summary in zip(rows, record.parity.parts, strict=True):
        left = f", {summary.left_out} without a tolerance that checks anything" if summary.left_out else ""
        said = summary.skipped or f"{summary.checks} compared, {summary.failed} failed{left}"
        yield f"  {part['part']:<10} {said}"
        for row in part["diffs"]:
            nearest = summary.worst is not None and row["what"] == summary.worst.what
            if all_rows or not row["passed"] or nearest:
                value = "not finite" if row["value"] is None else f"{row['value']:.2e}"
                mark = "   " if row["passed"] else " ! "
                yield f"   {mark}{row['what']:<{width}}  {value:>10} / {row['tolerance']:.2e}"


def _all_comparisons(record: Record) -> list[dict[str, Any]]:
    assert record.sidecar is not None and record.sidecar.inline is not None
    series: dict[str, Any] = json.loads(unzipped(base64.b64decode(record.sidecar.inline)))
    return list(series["gate"])
