"""``framebench plan`` and ``framebench run``: executor, images, plan, campaign, and what is said of them."""

from __future__ import annotations

import hashlib
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import NamedTuple

import msgspec
import psutil
from rich.console import Console

from framebench.campaign import plan as planning
from framebench.campaign import suites
from framebench.campaign.campaign import Campaign, Summary
from framebench.campaign.estimate import Estimator
from framebench.campaign.plan import Plan, Planned
from framebench.campaign.slower_sampler import slowed
from framebench.campaign.suites import Suite
from framebench.errors import UserError
from framebench.executors import Executor, Unavailable
from framebench.executors.choose import choose
from framebench.executors.machine import cores_allowed, host_id
from framebench.images import load_matrix, missing_wheels
from framebench.images.locks import check_lock
from framebench.progress import CampaignProgress, minutes
from framebench.records import store
from framebench.records.provenance import Checkout
from harness.record import Case, Contender, ImageRef, Record

# Bytes on disk for each byte of wheels, of the five CPU rows (1.27 GB of wheels in their locks). Images: 3.9 GB in
# build/store and 3.5 GB in the engine, summed from the sizes of their layers; environments (du): 5.69 GB, and 0.64 GB
# of wheels.
DISK_PER_WHEEL_BYTE = {"docker": 5.8, "venv": 5.0}


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


class Bench(NamedTuple):
    """Everything a campaign needs, ready."""

    suite: Suite
    campaign: Campaign
    plan: Plan
    estimator: Estimator
    budget_s: float | None

    def seconds(self, trial: Planned) -> float:
        """Estimated seconds of a trial."""
        return self.estimator.seconds(trial.kind, trial.case, trial.contender, self.suite.protocol)


def parse_budget(text: str) -> float | None:
    """``90s``, ``20m``, ``2h`` or a bare number of minutes -> seconds; ``none`` -> null."""
    if text == "none":
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text)
    if not found or float(found[1]) <= 0:
        raise UserError(f"budget {text!r} is not a time; write 90s, 20m, 2h or none")
    return float(found[1]) * {"s": 1, "m": 60, "h": 3600, "": 60}[found[2]]


def choose_suite(root: Path, wanted: str, console: Console) -> Suite:
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
    console.print(f"suite: {name} ({why})", markup=False)
    return suites.load(root, name)


def show_plan(request: Request, console: Console) -> None:
    """Print the plan without running or building anything."""
    entry = _enter(request, console)
    bench = _open(request, entry, _as_known(entry), console)
    for trial in bench.plan.gates:
        console.print(f"gate     {trial.kind:<10} {trial.case.path}  {trial.contender.slug}", markup=False)
    for batch in bench.plan.rounds:
        for trial in batch:
            line = f"round {trial.round:<2} {trial.kind:<10} {trial.case.path}  {trial.contender.slug}"
            console.print(line, markup=False)
    _announce(bench, console)
    _announce_preparation(request, entry, console)


def run(request: Request, console: Console) -> int:
    """Run the campaign; exit code 0 when it ended as planned or by the budget, 130 when stopped by hand."""
    entry = _enter(request, console)
    if len(entry.ready) < len(entry.stacks):
        estimate = _open(request, entry, _as_known(entry), console).plan.estimate_s
        console.print(f"to measure: about {minutes(estimate)}", markup=False)
        _announce_preparation(request, entry, console)
    bench = _open(request, entry, _prepare(entry, console), console)
    _announce(bench, console)
    if not bench.plan.trials():
        console.print("everything in this plan is done already (--force runs it again)")
        return 0
    campaign = bench.campaign
    restore = _stop_on_ctrl_c(campaign, console)
    deadline = None if bench.budget_s is None else time.monotonic() + bench.budget_s
    try:
        with CampaignProgress(console) as progress:
            summary = campaign.run(bench.plan, progress, bench.estimator, deadline)
    finally:
        restore()
    _report(bench, summary, console)
    return 130 if campaign.stop_after_trial else 0


class _Entry(NamedTuple):
    """What was asked for, resolved; ``ready`` holds the environments that are there already."""

    suite: Suite
    cases: list[Case]
    contenders: list[Contender]
    executor: Executor
    stacks: list[str]
    ready: dict[str, ImageRef]


def _enter(request: Request, console: Console) -> _Entry:
    parse_budget(request.budget)
    suite = choose_suite(request.root, request.suite, console)
    if request.rounds is not None:
        suite = msgspec.structs.replace(suite, rounds=request.rounds)
    suite, changed = slowed(suite, request.results, host_id())
    if changed:
        console.print(changed, markup=False)
    cases = _cases(suite, request.case_globs)
    contenders = _contenders(suite, request.contender_globs)
    load_matrix(request.root).for_stacks(
        request.image_names
    )  # a wrong name is said before an engine is asked
    executor = choose(
        request.root,
        request.executor,
        lambda line: console.print(line, markup=False),
        request.image_names,
    )
    stacks = sorted({entrant.stack for entrant in contenders})
    return _Entry(suite, cases, contenders, executor, stacks, executor.ready(stacks))


def _as_known(entry: _Entry) -> dict[str, ImageRef]:
    """Before anything is built: a stack without its environment has an image that nothing was done in."""
    return {stack: entry.ready.get(stack, ImageRef(name=None)) for stack in entry.stacks}


def _open(request: Request, entry: _Entry, images: dict[str, ImageRef], console: Console) -> Bench:
    """Campaign and plan in these environments; stacks without one take no part."""
    budget_s = parse_budget(request.budget)
    source = Checkout.of(request.root)
    campaign = Campaign(
        entry.suite,
        entry.executor,
        images,
        source,
        request.results,
        _campaign_id(request, entry, source),
    )
    records: list[Record] = []
    if request.results.exists():
        loaded = store.load([request.results])
        records = [record for _, record in loaded.records]
        for fault in loaded.broken:
            console.print(f"warning: skipped {fault}", markup=False)
    if not request.force:
        campaign.remember(records)
    estimator = Estimator(_like_this(records, source, entry.executor))
    bench = Bench(entry.suite, campaign, Plan([], [], 0, [], 0.0), estimator, budget_s)
    plan = planning.make(
        entry.suite,
        entry.cases,
        [entrant for entrant in entry.contenders if entrant.stack in campaign.images],
        seconds=bench.seconds,
        done=campaign.done,
        settled=campaign.settled,
        budget_s=budget_s,
        seed=int(hashlib.sha256(campaign.campaign_id.encode()).hexdigest()[:8], 16),
    )
    return bench._replace(plan=plan)


def _like_this(records: list[Record], source: Checkout, executor: Executor) -> list[Record]:
    """Records of this host and executor if there are any, else all of them: the best guess there is."""
    same = [
        record
        for record in records
        if record.provenance.host_id == source.host_id and record.provenance.executor == executor.name
    ]
    return same or records


def _cases(suite: Suite, globs: tuple[str, ...]) -> list[Case]:
    cases = suite.expand(cores_allowed())
    chosen = suites.select([case.path for case in cases], globs, "case")
    return [case for case in cases if case.path in chosen]


def _contenders(suite: Suite, globs: tuple[str, ...]) -> list[Contender]:
    entrants = suite.entrants()
    chosen = suites.select([entrant.slug for entrant in entrants], globs, "contender")
    return [entrant for entrant in entrants if entrant.slug in chosen]


def _prepare(entry: _Entry, console: Console) -> dict[str, ImageRef]:
    """Build or fetch what is missing; a stack that cannot be had is left out, and said."""

    def say(line: str) -> None:
        console.print(line, markup=False)

    started = time.monotonic()
    images: dict[str, ImageRef] = {}
    for stack, found in entry.executor.prepare(entry.stacks, say).items():
        if isinstance(found, Unavailable):
            say(f"{stack} is left out: {found.reason}" + (f"; {found.mend}" if found.mend else ""))
        else:
            images[stack] = found
    if not images:
        raise UserError("no stack can run here; the lines above say why")
    say(f"environments ready after {minutes(time.monotonic() - started)}")
    return images


def _announce_preparation(request: Request, entry: _Entry, console: Console) -> None:
    """Download and disk that the environments still need, before anything is fetched."""
    missing = [stack for stack in entry.stacks if stack not in entry.ready]
    if not missing or entry.executor.name == "system":
        return
    root = request.root
    by_stack = load_matrix(root).for_stacks(request.image_names)
    rows = [by_stack[stack] for stack in missing]
    download = {wheel.sha256: wheel.size for row in rows for wheel in missing_wheels(root, row)}
    packages = sum(wheel.size for row in rows for wheel in check_lock(root, row))
    disk = packages * DISK_PER_WHEEL_BYTE[entry.executor.name]
    console.print(
        f"to prepare: {', '.join(missing)}; download about {sum(download.values()) / 1e6:,.0f} MB, "
        f"disk about {disk / 1e9:.1f} GB",
        markup=False,
    )


def _campaign_id(request: Request, entry: _Entry, source: Checkout) -> str:
    """Equal for the same command on the same host and harness: a stopped campaign carries on as itself.

    Another selection is another campaign: its rounds were not interleaved with these, so they never pair up.
    More rounds of the same are the same campaign, carried on.
    """
    facts = [
        msgspec.json.encode(msgspec.structs.replace(entry.suite, rounds=0)).decode(),
        *(request.budget, repr(request.case_globs), repr(request.contender_globs)),
        *request.image_names,
        entry.executor.name,
        source.host_id,
        source.harness_tree,
        store.new_trial_id() if request.force else "",
    ]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:12]


def _announce(bench: Bench, console: Console) -> None:
    plan = bench.plan
    timing = sum(len(batch) for batch in plan.rounds)
    console.print(
        f"plan: {len(plan.gates)} gates, {timing} timing trials in {len(plan.rounds)} rounds; "
        f"{plan.done} done already; about {minutes(plan.estimate_s)}"
        + ("" if bench.budget_s is None else f" of a budget of {minutes(bench.budget_s)}"),
        markup=False,
    )
    if plan.settled:
        console.print("precise enough, so without further rounds: " + "; ".join(plan.settled), markup=False)
    if plan.dropped:
        console.print("left out to keep to the budget: " + "; ".join(plan.dropped), markup=False)
    if bench.campaign.source.dirty:
        console.print(
            "note: the working tree differs from its commit; these records are marked dirty", markup=False
        )


def _report(bench: Bench, summary: Summary, console: Console) -> None:
    outcomes = (
        ", ".join(f"{count} {status}" for status, count in sorted(summary.outcomes.items())) or "nothing ran"
    )
    console.print(
        f"outcomes: {outcomes}; {summary.skipped} not run because their gate did not pass", markup=False
    )
    estimate, actual = bench.plan.estimate_s, summary.elapsed_s
    console.print(f"time: {minutes(actual)}, estimated {minutes(estimate)}", markup=False)
    if summary.stopped:
        console.print(summary.stopped, markup=False)


def _stop_on_ctrl_c(campaign: Campaign, console: Console) -> Callable[[], None]:
    """First Ctrl-C: finish the trial. Second: kill it. Every finished trial is on disk either way."""

    def handle(number: int, frame: FrameType | None) -> None:
        if campaign.stop_after_trial:
            campaign.executor.stop()
        else:
            campaign.stop_after_trial = True
            console.print("finishing the current trial; press Ctrl-C again to stop now")

    previous = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in previous.items():
            signal.signal(number, handler)

    return restore
