"""``framebench plan --nodes``: what a suite would take on many machines, before anybody rents them."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from rich.console import Console

from framebench.campaign import suites
from framebench.campaign.estimate import ASSUMED_PER_CORE, ASSUMED_PER_GPU, Estimator, assumed_rate
from framebench.campaign.many_nodes import Hours, ManyNodes, at_the_peak, gpus_named, on_such, simulate
from framebench.commands.phrases import minutes
from framebench.commands.saying import Sayer
from framebench.errors import UserError
from framebench.executors.machine import this_machine
from framebench.records import index, store
from harness import roofline


class NodesRequest(NamedTuple):
    """What was asked for on the command line; ``price`` is of an hour of one GPU, or of one node."""

    nodes: int
    gpus: str | None
    price: tuple[float, float] | None
    suite: str
    rounds: int | None
    case_globs: tuple[str, ...]
    contender_globs: tuple[str, ...]
    cores: int | None
    results: Path | None


def chosen(options: Mapping[str, Any], said: Collection[str]) -> dict[str, Any]:
    """Those of the options of `plan` that go with --nodes; ``UserError`` if another was said."""
    taken = {name: value for name, value in options.items() if name in NodesRequest._fields}
    for name in said:
        if name not in taken:
            option = {"image_names": "image", "wheels": "wheel"}.get(name, name)
            raise UserError(
                f"--{option} does not go with --nodes, which plans a whole suite on machines that need not be there; "
                "leave one of the two out"
            )
    return taken


def run(root: Path, request: NodesRequest, console: Console) -> None:
    """Print the range. ``UserError`` for what is not known, or a suite without a case."""
    say = Sayer(console)
    rows = gpus_named(request.gpus) if request.gpus is not None else []
    if request.price is not None and not 0 <= request.price[0] <= request.price[1] < math.inf:
        raise UserError(
            f"--price {request.price[0]:g} {request.price[1]:g}: give two prices of an hour, the lower price first"
        )
    device = "gpu" if rows else "cpu"
    suite = suites.load(root, device if request.suite == "auto" else request.suite)
    if request.rounds is not None:
        suite = msgspec.structs.replace(suite, rounds=request.rounds)
    machine = this_machine()
    cases = [case for case in suite.expand(request.cores or machine.cores_allowed) if case.device == device]
    if not cases:
        raise UserError(
            f"suite {suite.name} has no case on a {device.upper()}; "
            + ("give --gpus NAME" if device == "cpu" else "leave --gpus out, or give --suite gpu")
        )
    paths = suites.select([case.path for case in cases], request.case_globs, "case")
    slugs = suites.select([one.slug for one in suite.entrants()], request.contender_globs, "contender")
    folder = request.results or root / "results"
    loaded = store.load([folder], index=index.of(root, folder)) if folder.exists() else store.Loaded()
    say.skipped(loaded.broken)
    records = on_such((record for _, record in loaded.records), rows)
    found = simulate(
        suite,
        [case for case in cases if case.path in paths],
        [one for one in suite.entrants() if one.slug in slugs],
        request.nodes,
        (Estimator(records, at_the_peak(rows) if rows else assumed_rate), Estimator(records)),
        machine,
    )
    for line in lines(found, request, suite.name, rows):
        say(line)


def lines(
    found: ManyNodes, request: NodesRequest, suite: str, rows: Collection[roofline.Gpu]
) -> Iterator[str]:
    """The range in words, and what it rests on."""
    unit = "GPU hours" if rows else "node hours"
    yield (
        f"suite {suite}: {found.cases} cases, {found.trials} trials on {request.nodes} nodes, "
        f"each one case at a time{' on GPUs of its own' if rows else ''}"
    )
    if rows:
        yield f"GPU: {', '.join(row.name for row in rows)}"
    yield f"wall time: {_span(found.wall)}; the longest case alone {_span(found.longest)}"
    if found.busy < request.nodes:
        yield f"{request.nodes - found.busy} nodes would have nothing to do: a case is never divided"
    yield f"{unit}: {_range(found.used)}"
    if request.price is not None:
        cost = Hours(found.used.low * request.price[0], found.used.high * request.price[1])
        yield f"cost, from these hours and your price: {_range(cost)}"
    if found.known < found.trials:
        measured = "were measured on such GPUs before" if rows else "were measured before"
        assumed = (
            f"at the data sheet's peak and at {ASSUMED_PER_GPU / 1e12:g} TFLOP/s"
            if rows
            else f"at {ASSUMED_PER_CORE / 1e9:g} GFLOP/s a core"
        )
        yield (
            f"{found.known} of {found.trials} trials {measured}; the others are estimated from those most alike, or "
            f"where none is from FLOPs {assumed}, without what compilers take"
        )


def _span(hours: Hours) -> str:
    low, high = (minutes(each * 3600) for each in hours)
    return low if low == high else f"{low} to {high}"


def _range(values: Hours) -> str:
    low, high = (f"{value:,.1f}" if value < 100 else f"{value:,.0f}" for value in values)
    return low if low == high else f"{low} to {high}"
