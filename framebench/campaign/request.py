"""What was asked for on the command line, and what it means on this machine: suite, cases, contenders, executor."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from framebench.campaign import shards, suites
from framebench.campaign.here import this_checkout
from framebench.campaign.slower_sampler import slowed
from framebench.campaign.suites import Device, Suite
from framebench.campaign.unsupported import Unsupported, supported, unsupported
from framebench.errors import UserError
from framebench.executors import Executor, StackOn, cards, gpu
from framebench.executors.choose import choose
from framebench.executors.machine import Machine, this_machine
from framebench.images import load_matrix, read_wheels
from framebench.records.provenance import Checkout
from harness import frameworks
from harness.record import Case, Contender, ImageRef, OwnBuild

Say = Callable[[str], None]
"""Receives one line for the terminal."""


class Request(NamedTuple):
    """What was asked for on the command line."""

    root: Path
    suite: str
    budget: str
    executor: str
    case_globs: tuple[str, ...]
    contender_globs: tuple[str, ...]
    results: Path
    rounds: int | None = None
    image_names: tuple[str, ...] = ()
    force: bool = False
    retry_failed: bool = False
    cores: int | None = None
    wheels: tuple[Path, ...] = ()
    shard: str | None = None
    gpu: str | None = None


class Resolved(NamedTuple):
    """What was asked for, resolved; ``ready`` holds the environments that are there already.

    ``takes_part`` says who is compared in which case. Where nothing of it can run here, it is who would be
    compared on a machine that can, and ``nothing_here`` is true.
    """

    suite: Suite
    cases: list[Case]
    contenders: list[Contender]
    executor: Executor
    stacks: list[StackOn]
    ready: dict[StackOn, ImageRef]
    checkout: Checkout
    unsupported: list[Unsupported]
    takes_part: Callable[[Case, Contender], bool]
    nothing_here: bool
    own_builds: tuple[OwnBuild, ...] = ()


def parse_budget(text: str) -> float | None:
    """``90s``, ``20m``, ``2h`` or a bare number of minutes -> seconds; ``none`` -> null."""
    if text == "none":
        return None
    time = re.fullmatch(r"(\d{1,6}(?:\.\d+)?)([smh]?)", text)
    if not time or float(time[1]) <= 0:
        raise UserError(f"budget {text!r} is not a time; write 90s, 20m, 2h or none")
    return float(time[1]) * {"s": 1, "m": 60, "h": 3600, "": 60}[time[2]]


def resolve(request: Request, say: Say) -> Resolved:
    """Suite, cases, contenders and executor of a request; nothing is built or fetched. ``UserError`` with the mend."""
    # what is wrong with the request is said before an engine is asked
    parse_budget(request.budget)
    shard = None if request.shard is None else shards.parse(request.shard, os.environ)
    suite = None if request.suite == "auto" else suites.load(request.root, request.suite)
    load_matrix(request.root).for_device("cpu", request.image_names)
    own_wheels = read_wheels(request.wheels)
    checkout = this_checkout(request.root)
    executor = choose(
        request.root,
        request.executor,
        say,
        request.image_names,
        checkout.harness_tree,
        _devices(suite),
        own_wheels,
    )
    for wheel in own_wheels:
        say(f"own build: {wheel.build}; what is measured with it is marked and never published")
    machine = executor.machine()
    _say_machine(machine, say)
    suite = suite or choose_suite(request.root, executor, machine, say)
    _check_images(request, suite)
    if "gpu" in suite.devices():
        _say_gpus(suite, say)
    if request.rounds is not None:
        suite = msgspec.structs.replace(suite, rounds=request.rounds)
    cases = _cases(suite, request.case_globs, _cores(request.cores, machine))
    if request.gpu is not None and all(case.device == "cpu" for case in cases):
        raise _no_gpu_wanted(request.gpu, suite)
    contenders = _contenders(suite, request.contender_globs)
    if shard:
        all_cases, cases = cases, shards.split(suite, cases, contenders, shard.of)[shard.number - 1]
        say(f"shard {shard}: {len(cases)} of {len(all_cases)} cases")
    pairs = [(case, entrant) for case in cases for entrant in contenders if suite.admits(case, entrant)]
    refused = unsupported(pairs, executor)
    takes_part = supported(pairs, refused)
    nothing_here = not any(takes_part(*pair) for pair in pairs)
    if nothing_here:
        takes_part = supported(pairs, [cause for cause in refused if not cause.here])
    stacks = {StackOn(entrant.stack, case.device) for case, entrant in pairs if takes_part(case, entrant)}
    ready = {} if nothing_here else executor.ready(sorted(stacks))
    checkout = checkout._replace(host_id=executor.machine().host_id)  # an image may have to look for it
    suite, changed = slowed(suite, request.results, checkout.host_id)
    if changed:
        say(changed)
    return Resolved(
        suite,
        cases,
        contenders,
        executor,
        sorted(stacks),
        ready,
        checkout,
        refused,
        takes_part,
        nothing_here,
        tuple(wheel.build for wheel in own_wheels),
    )


def for_each_card(request: Request) -> Iterator[Request]:
    """The request for each GPU that it names, one after the other and with its part of the budget; while one is at
    work, its GPU alone is seen. Without ``--gpu`` the request itself."""
    if request.gpu is None:
        yield request
        return
    if request.suite != "auto":
        suite = suites.load(request.root, request.suite)
        if "gpu" not in suite.devices():
            raise _no_gpu_wanted(request.gpu, suite)
    uuids = cards.named(request.gpu)
    budget = parse_budget(request.budget)
    for uuid in uuids:
        with cards.only(uuid):
            yield request if budget is None else request._replace(budget=f"{budget / len(uuids) / 3600:.9f}h")


def _no_gpu_wanted(named: str, suite: Suite) -> UserError:
    return UserError(
        f"--gpu {named}: no case of suite {suite.name} that was asked for wants a GPU; leave it out"
    )


def _say_gpus(suite: Suite, say: Say) -> None:
    """Which GPUs do not answer, and what is to be known of those that the suite's largest case has."""
    for silent in gpu.lost():
        say(f"left out: {silent}; {gpu.mend_of(silent)}")
    most = max(max(row.counts) for row in suite.cases if "gpu" in row.devices)
    for chosen in cards.facts(most) or cards.facts(1):
        say(f"GPU: {chosen.name}, {chosen.uuid}")
        for remark in cards.remarks(chosen):
            say(f"note: {remark}")


def _devices(suite: Suite | None) -> list[Device]:
    """What images may be needed for; a GPU that is not there needs none."""
    has_gpu = gpu.refusal_of(1) is None
    if suite is None:
        return ["gpu"] if has_gpu else ["cpu"]
    return [device for device in suite.devices() if device == "cpu" or has_gpu]


def choose_suite(root: Path, executor: Executor, machine: Machine, say: Say) -> Suite:
    """The suite that fits the machine that measures, and why."""
    has = f"{machine.cores_allowed} cores and {machine.gibibytes} GiB"
    on_gpu = [StackOn(stack, "gpu") for stack in frameworks.stacks() if stack != frameworks.SELF_TEST]
    if gpu.refusal_of(1) is None and any(executor.refusal(stack) is None for stack in on_gpu):
        name, why = "gpu", "a GPU is here that can be used"
    elif machine.cores_allowed >= 2 and machine.gibibytes >= 6:
        name, why = "cpu", f"{has} carry it; no GPU that can be used"
    else:
        name, why = "smoke", f"{has} are too few for the cpu suite"
    say(f"suite: {name} ({why})")
    return suites.load(root, name)


def _say_machine(machine: Machine, say: Say) -> None:
    """Where it is not this machine with all its cores, the cases are made for what it is."""
    if machine != this_machine():
        processor = (
            machine.cpu_model or f"a processor ({machine.architecture}) that an image will have to look at"
        )
        say(
            f"measuring on the engine's machine, not on this one: {processor}, {machine.cores} cores, "
            f"{machine.gibibytes} GiB"
        )
    if machine.cores_allowed < machine.cores:
        say(f"cores: {machine.cores_allowed} of {machine.cores}, as affinity and CPU quota allow")


def _cores(wanted: int | None, machine: Machine) -> int:
    """Cores of the cases: all that trials may use, or as many as were asked for."""
    if wanted is None:
        return machine.cores_allowed
    if not 1 <= wanted <= machine.cores_allowed:
        raise UserError(
            f"--cores {wanted}: the machine that measures lets trials use 1 to {machine.cores_allowed} cores"
        )
    return wanted


def _check_images(request: Request, suite: Suite) -> None:
    """An image for a device that no case wants would be left unused without a word."""
    matrix = load_matrix(request.root)
    for row in map(matrix.find, request.image_names):
        if row.device not in suite.devices():
            raise UserError(
                f"--image {row.name} is for a {row.device.upper()}, and no case of suite {suite.name} wants one"
            )


def _cases(suite: Suite, globs: tuple[str, ...], cores: int) -> list[Case]:
    cases = suite.expand(cores)
    chosen = suites.select([case.path for case in cases], globs, "case")
    return [case for case in cases if case.path in chosen]


def _contenders(suite: Suite, globs: tuple[str, ...]) -> list[Contender]:
    entrants = suite.entrants()
    chosen = suites.select([entrant.slug for entrant in entrants], globs, "contender")
    return [entrant for entrant in entrants if entrant.slug in chosen]


def as_known(resolved: Resolved) -> dict[StackOn, ImageRef]:
    """Before anything is built: a stack without its environment has an image that nothing was done in."""
    return {stack: resolved.ready.get(stack, ImageRef(name=None)) for stack in resolved.stacks}
