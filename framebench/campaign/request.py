"""What was asked for on the command line, and what it means on this machine: suite, cases, contenders, executor."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec
import psutil

from framebench.campaign import suites
from framebench.campaign.here import this_checkout
from framebench.campaign.slower_sampler import slowed
from framebench.campaign.suites import Suite
from framebench.errors import UserError
from framebench.executors import Executor
from framebench.executors.choose import choose
from framebench.executors.machine import cores_allowed, host_id
from framebench.images import load_matrix
from framebench.records.provenance import Checkout
from harness.record import Case, Contender, ImageRef

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


class Resolved(NamedTuple):
    """What was asked for, resolved; ``ready`` holds the environments that are there already."""

    suite: Suite
    cases: list[Case]
    contenders: list[Contender]
    executor: Executor
    stacks: list[str]
    ready: dict[str, ImageRef]
    checkout: Checkout


def parse_budget(text: str) -> float | None:
    """``90s``, ``20m``, ``2h`` or a bare number of minutes -> seconds; ``none`` -> null."""
    if text == "none":
        return None
    time = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text)
    if not time or float(time[1]) <= 0:
        raise UserError(f"budget {text!r} is not a time; write 90s, 20m, 2h or none")
    return float(time[1]) * {"s": 1, "m": 60, "h": 3600, "": 60}[time[2]]


def resolve(request: Request, say: Say) -> Resolved:
    """Suite, cases, contenders and executor of a request; nothing is built or fetched. ``UserError`` with the mend."""
    parse_budget(request.budget)
    suite = choose_suite(request.root, request.suite, say)
    if request.rounds is not None:
        suite = msgspec.structs.replace(suite, rounds=request.rounds)
    suite, changed = slowed(suite, request.results, host_id())
    if changed:
        say(changed)
    cases = _cases(suite, request.case_globs)
    contenders = _contenders(suite, request.contender_globs)
    load_matrix(request.root).for_stacks(
        request.image_names
    )  # a wrong name is said before an engine is asked
    checkout = this_checkout(request.root)
    executor = choose(request.root, request.executor, say, request.image_names, checkout.harness_tree)
    stacks = sorted({entrant.stack for entrant in contenders})
    return Resolved(suite, cases, contenders, executor, stacks, executor.ready(stacks), checkout)


def choose_suite(root: Path, wanted: str, say: Say) -> Suite:
    """The suite asked for, or the one that fits this machine, and why."""
    if wanted != "auto":
        return suites.load(root, wanted)
    gibibytes = psutil.virtual_memory().total / 2**30
    fits = cores_allowed() >= 2 and gibibytes >= 6
    name, why = (
        ("cpu", f"{cores_allowed()} cores and {gibibytes:.0f} GiB carry it; the GPU suite is not written yet")
        if fits
        else ("smoke", f"{cores_allowed()} cores and {gibibytes:.0f} GiB are too few for the cpu suite")
    )
    say(f"suite: {name} ({why})")
    return suites.load(root, name)


def _cases(suite: Suite, globs: tuple[str, ...]) -> list[Case]:
    cases = suite.expand(cores_allowed())
    chosen = suites.select([case.path for case in cases], globs, "case")
    return [case for case in cases if case.path in chosen]


def _contenders(suite: Suite, globs: tuple[str, ...]) -> list[Contender]:
    entrants = suite.entrants()
    chosen = suites.select([entrant.slug for entrant in entrants], globs, "contender")
    return [entrant for entrant in entrants if entrant.slug in chosen]


def as_known(resolved: Resolved) -> dict[str, ImageRef]:
    """Before anything is built: a stack without its environment has an image that nothing was done in."""
    return {stack: resolved.ready.get(stack, ImageRef(name=None)) for stack in resolved.stacks}
