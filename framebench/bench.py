"""``framebench plan`` and ``framebench run``: executor, images, plan, campaign, and what the terminal says of them."""

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

from framebench import plan as planning
from framebench import store, suites
from framebench.campaign import Campaign, Source, Summary
from framebench.errors import UserError
from framebench.estimate import Estimator
from framebench.executors import Executor, Unavailable
from framebench.executors.choose import choose
from framebench.host import cores_allowed
from framebench.plan import Plan, Planned
from framebench.progress import CampaignProgress, minutes
from framebench.suites import Suite
from harness.record import Case, Contender, ImageRef, Record


class Request(NamedTuple):
    """What was asked for on the command line."""

    root: Path
    suite: str
    budget: str
    executor: str
    case_glob: str | None
    contender_glob: str | None
    results: Path
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
    """Print the plan without running or building anything that is not there yet."""
    bench = _open(request, console)
    for trial in bench.plan.gates:
        console.print(f"gate     {trial.kind:<10} {trial.case.path}  {trial.contender.slug}", markup=False)
    for batch in bench.plan.rounds:
        for trial in batch:
            console.print(
                f"round {trial.round:<2} {trial.kind:<10} {trial.case.path}  {trial.contender.slug}",
                markup=False,
            )
    _announce(bench, console)


def run(request: Request, console: Console) -> int:
    """Run the campaign; exit code 0 when it ended as planned or by the budget, 130 when stopped by hand."""
    bench = _open(request, console)
    _announce(bench, console)
    if not bench.plan.trials():
        console.print("everything in this plan is done already (--force runs it again)")
        return 0
    campaign = bench.campaign
    restore = _stop_on_ctrl_c(campaign, console)
    deadline = None if bench.budget_s is None else time.monotonic() + bench.budget_s
    try:
        with CampaignProgress(console) as progress:
            summary = campaign.run(bench.plan, progress, bench.seconds, deadline)
    finally:
        restore()
    _report(bench, summary, console)
    return 130 if campaign.stop_after_trial else 0


def _open(request: Request, console: Console) -> Bench:
    def say(line: str) -> None:
        console.print(line, markup=False)

    budget_s = parse_budget(request.budget)
    suite = choose_suite(request.root, request.suite, console)
    cases = _cases(suite, request.case_glob)
    contenders = _contenders(suite, request.contender_glob)
    executor = choose(request.root, request.executor, say)
    images, contenders = _prepare(executor, contenders, say)
    source = Source.of(request.root)
    campaign = Campaign(
        suite, executor, images, source, request.results, _campaign_id(suite, executor, source, request.force)
    )
    loaded = store.load([request.results]) if request.results.exists() else store.Loaded([], [])
    for fault in loaded.broken:
        say(f"warning: skipped {fault.path}: {fault.reason}")
    records = [record for _, record in loaded.records]
    if not request.force:
        campaign.remember(records)
    estimator = Estimator(_like_this(records, source, executor))
    bench = Bench(suite, campaign, Plan([], [], 0, [], 0.0), estimator, budget_s)
    plan = planning.make(
        suite,
        cases,
        contenders,
        seconds=bench.seconds,
        done=campaign.done,
        budget_s=budget_s,
        seed=int(hashlib.sha256(campaign.campaign_id.encode()).hexdigest()[:8], 16),
    )
    return bench._replace(plan=plan)


def _like_this(records: list[Record], source: Source, executor: Executor) -> list[Record]:
    """Records of this host and executor if there are any, else all of them: the best guess there is."""
    same = [
        record
        for record in records
        if record.provenance.host_id == source.host_id and record.provenance.executor == executor.name
    ]
    return same or records


def _cases(suite: Suite, glob: str | None) -> list[Case]:
    cases = suite.expand(cores_allowed())
    chosen = suites.select([case.path for case in cases], glob, "case")
    return [case for case in cases if case.path in chosen]


def _contenders(suite: Suite, glob: str | None) -> list[Contender]:
    entrants = suite.entrants()
    chosen = suites.select([entrant.slug for entrant in entrants], glob, "contender")
    return [entrant for entrant in entrants if entrant.slug in chosen]


def _prepare(
    executor: Executor, contenders: list[Contender], say: Callable[[str], None]
) -> tuple[dict[str, ImageRef], list[Contender]]:
    started = time.monotonic()
    found = executor.prepare(sorted({entrant.stack for entrant in contenders}), say)
    images: dict[str, ImageRef] = {}
    for stack, image in found.items():
        if isinstance(image, Unavailable):
            say(f"{stack} is left out: {image.reason}" + (f"; {image.mend}" if image.mend else ""))
        else:
            images[stack] = image
    if not images:
        raise UserError("no stack can run here; the lines above say why")
    say(f"environments ready after {minutes(time.monotonic() - started)}")
    return images, [entrant for entrant in contenders if entrant.stack in images]


def _campaign_id(suite: Suite, executor: Executor, source: Source, fresh: bool) -> str:
    """Equal for equal suite, executor, host and harness, so that a stopped campaign carries on as itself."""
    facts = [
        msgspec.json.encode(suite).decode(),
        executor.name,
        source.host_id,
        source.harness_tree,
        store.new_trial_id() if fresh else "",
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
