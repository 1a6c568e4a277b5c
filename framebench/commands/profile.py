"""``framebench profile``: a few steps of one contender under its framework's own profiler, for its engineers."""

from __future__ import annotations

import base64
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, get_args

import msgspec
from rich.console import Console

from framebench.campaign.unsupported import cause_anywhere
from framebench.commands import unwritten
from framebench.commands.gate import GateRequest, cases_of, contender_of
from framebench.commands.lone_trial import environment_of, lone_trial
from framebench.commands.saying import Sayer
from framebench.errors import UserError, quoted
from framebench.executors import Failure, StackOn
from framebench.executors.choose import choose
from framebench.images import read_wheels
from framebench.records.zipped import unzipped
from harness import frameworks
from harness.frameworks.exported import ExportInfo
from harness.record import (
    Case,
    Contender,
    Precision,
    Protocol,
    Record,
    Task,
)

TIMEOUT_S = 900.0
NAME_WIDTH = 60
MOST_BYTES = 1 << 30
"""Of all files of a profile, unzipped."""
LISTED = 4
"""More files of one kind are counted."""
# Enough that what compiles has compiled; nothing is timed after it
WARM_UP = Protocol(
    name="profile",
    warmup_window=10,
    warmup_tolerance=0.02,
    warmup_agreements=1,
    warmup_min_s=0.5,
    warmup_max_blocks=60,
    warmup_max_s=10.0,
)
_CASE = re.compile(
    r"(?P<workload>[^/]+)(/(?P<preset>.+?)"
    rf"(-(?P<task>{'|'.join(get_args(Task))}))?(-b(?P<batch>[1-9]\d*))?(-(?P<precision>{'|'.join(get_args(Precision))}))?"
    r"(-(?P<device>cpu|gpu)1)?(-c(?P<cores>[1-9]\d*))?)?"
)


class ProfileRequest(NamedTuple):
    """What was asked for on the command line; null takes the plainest."""

    case: str
    stack: str
    mode: str | None
    variant: str | None
    executor: str
    wheels: tuple[Path, ...]


def run(root: Path, request: ProfileRequest, console: Console) -> int:
    """Exit code 0 if the profile was written, 1 if the trial did not end well."""
    say = Sayer(console)
    case, contender = what(request)
    own_wheels = read_wheels(request.wheels)
    executor = choose(root, request.executor, say, devices=[case.device], own_wheels=own_wheels)
    if not names_cores(request.case):
        case = msgspec.structs.replace(case, cores=executor.machine().cores_allowed)
    image = environment_of(executor, StackOn(contender.stack, case.device), say)
    say(f"{case.path}  {contender.slug}")
    # with an empty compile cache: what is compiled is written down only when it is compiled
    spec = lone_trial("profile", executor, case, contender, image, WARM_UP, TIMEOUT_S, cache_state="cold")
    answer = executor.run(spec, lambda line: None)
    outcome = answer.outcome
    if isinstance(answer, Failure) or outcome.status != "ok":
        for line in outcome.stderr_tail[-12:]:
            say(f"    {line}")
        say(f"  {outcome.status}: {outcome.reason}" + (f"; {outcome.mend}" if outcome.mend else ""))
        return 1
    profile = _profile(answer)
    for line in table(profile):
        say(line)
    name = "--".join([contender.slug, *([image.name] if image.own_builds and image.name else [])])
    for line in written(root / "build" / "profiles" / case.path / name, profile):
        say(line)
    return 0


def what(request: ProfileRequest) -> tuple[Case, Contender]:
    """Case and contender; ``UserError`` for what no machine could profile."""
    parts = _CASE.fullmatch(request.case)
    if parts is None:
        raise UserError(
            f"{request.case!r} names no case; write WORKLOAD/PRESET, or a case's whole path as `framebench plan`"
            " prints it, e.g. mlp/smoke-train-b32-fp32-cpu1-c2"
        )
    asked = GateRequest(
        workload=parts["workload"],
        stack=request.stack,
        mode=request.mode,
        variant=request.variant,
        task=parts["task"],
        preset=parts["preset"],
        precision=parts["precision"] or "fp32",
        batch=int(parts["batch"]) if parts["batch"] else None,
        executor=request.executor,
        all_rows=False,
    )
    contender = contender_of(asked)
    case = msgspec.structs.replace(
        cases_of(asked)[0], device=parts["device"] or "cpu", cores=int(parts["cores"] or 1)
    )
    info = frameworks.info(contender.stack)
    if isinstance(info, ExportInfo):
        raise UserError(
            f"{info.title} runs what {info.source} exported and has no profiler here; profile {info.source}"
        )
    if cause := cause_anywhere(case, contender):
        raise UserError(cause.reason + (f"; {cause.mend}" if cause.mend else ""))
    unwritten.refuse(case.workload, contender.stack)
    return case, contender


def names_cores(case: str) -> bool:
    """Whether a case that is one says how many cores; ``cpu1`` says which device."""
    parts = _CASE.fullmatch(case)
    return parts is not None and parts["cores"] is not None


def _profile(record: Record) -> dict[str, Any]:
    assert record.sidecar is not None and record.sidecar.inline is not None
    try:
        series: dict[str, Any] = json.loads(unzipped(base64.b64decode(record.sidecar.inline), MOST_BYTES))
    except ValueError as error:
        raise UserError(f"what the profiler left {error}; nothing was written") from None
    return dict(series["profile"])


def table(profile: dict[str, Any]) -> Iterator[str]:
    """The costliest operations: calls and self time in one step, and the share of all operations' self time."""
    rows, steps = profile["costliest"], profile["steps"]
    if not rows:
        yield "the profiler names no operations"
        return
    width = min(NAME_WIDTH, max(len("operation"), *(len(name) for name, _, _ in rows)))
    yield (
        f"the {len(rows)} costliest of {profile['operations']} operations, a mean over {steps} steps under the"
        " profiler, which slows them: no measurement"
    )
    yield f"  {'operation':<{width}}  {'calls':>7}  {'self time':>12}  share"
    for name, calls, self_ns in rows:
        short = name if len(name) <= width else f"{name[: width // 3]}…{name[width // 3 + 1 - width :]}"
        share = self_ns / profile["self_ns"] if profile["self_ns"] else 0.0
        yield f"  {short:<{width}}  {calls / steps:>7.4g}  {self_ns / steps / 1e3:>9,.1f} µs  {share:>5.1%}"


def written(folder: Path, profile: dict[str, Any]) -> Iterator[str]:
    """Put the files below ``folder``, in place of an earlier profile's; what they are, how large, how to open them.

    ``UserError`` where one would lie elsewhere: their names come out of a trial.
    """
    for name in profile["files"]:
        if PurePosixPath(name).is_absolute() or {"..", "."} & {*name.split("/")} or "\0" in name or not name:
            raise UserError(
                f"the profile has a file {quoted(name)}, which is no name below a folder; nothing was written"
            )
    shutil.rmtree(folder, ignore_errors=True)
    alike: dict[str, list[Path]] = {}
    for name, file in profile["files"].items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file["text"].encode() if "text" in file else base64.b64decode(file["base64"]))
        alike.setdefault(file["open"], []).append(path)
    yield f"{folder}:"
    for how, paths in alike.items():
        sizes = [path.stat().st_size / 1e3 for path in paths]
        if len(paths) <= LISTED:
            for path, size in zip(paths, sizes, strict=True):
                yield f"  {path.relative_to(folder)}  {size:,.1f} kB"
        else:
            yield f"  {paths[0].relative_to(folder)} and {len(paths) - 1} more like it  {sum(sizes):,.1f} kB"
        yield f"    {how.replace('FOLDER', str(folder))}"
