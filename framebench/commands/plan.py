"""``framebench plan``: what would run, what is done already, and how long it would take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from textwrap import wrap

from rich.console import Console

from framebench.campaign.opening import Bench, open_campaign
from framebench.campaign.plan import Plan
from framebench.campaign.preparation import still_needed
from framebench.campaign.request import Request, Resolved, Say, as_known, for_each_card, resolve
from framebench.campaign.shards import split
from framebench.campaign.unsupported import broken_folders
from framebench.commands.phrases import minutes
from framebench.commands.saying import Sayer
from framebench.images.perf_changelog import Entry, load_perf_changelog

WIDTH = 110  # of lines that are wrapped


def run(request: Request, console: Console, shards: int | None = None) -> None:
    """Print the plan without running or building anything; with ``shards``, what each of so many would hold."""
    for one in for_each_card(request):
        _print(one, Sayer(console), shards)


def _print(request: Request, say: Say, shards: int | None) -> None:
    resolved = resolve(request, say)
    bench = open_campaign(request, resolved, as_known(resolved), say)
    for trial in bench.plan.gates:
        say(f"gate     {trial.kind:<10} {trial.case.path}  {trial.contender.slug}")
    for batch in bench.plan.rounds:
        for trial in batch:
            say(f"round {trial.round:<2} {trial.kind:<10} {trial.case.path}  {trial.contender.slug}")
    for line in [
        *plan_lines(bench),
        *named_lines(bench.plan, load_perf_changelog(request.root)),
        *(shard_lines(resolved, bench, shards) if shards else ()),
        *unsupported_lines(resolved),
        *preparation_lines(request, resolved),
    ]:
        say(line)
    if resolved.nothing_here and resolved.stacks:
        say(
            "nothing of this plan can run here; a machine that can would run the trials above, the time "
            "estimated from their FLOPs where nothing like them was ever measured"
        )


def unsupported_lines(resolved: Resolved) -> Iterator[str]:
    """What of the suite cannot run, by cause."""
    yield from broken_folders(resolved.suite)
    for one in resolved.unsupported:
        yield one.sentence()


def plan_lines(bench: Bench) -> Iterator[str]:
    """What a plan holds, takes and leaves out."""
    plan = bench.plan
    timing = sum(len(batch) for batch in plan.rounds)
    yield (
        f"plan: {len(plan.gates)} gates, {timing} timing trials in {len(plan.rounds)} rounds; "
        f"{plan.done} done already; about {minutes(plan.estimate_s)}"
        + ("" if bench.budget_s is None else f" of a budget of {minutes(bench.budget_s)}")
    )
    if plan.settled:
        yield "precise enough, so without further rounds: " + "; ".join(plan.settled)
    if plan.dropped:
        yield from left_out(plan.dropped)
    if bench.campaign.source.dirty:
        yield "note: the working tree differs from its commit; these records are marked dirty"


def named_lines(plan: Plan, changelog: Iterable[Entry]) -> Iterator[str]:
    """What of the plan the perf-changelog asks for, by its entries, in lines that fit a terminal."""
    timed = {(trial.case.path, trial.contender) for trial in plan.trials() if trial.kind == "timing"}
    for entry in changelog:
        cases = sorted({path for path, entrant in timed if entry.names(entrant.stack, path)})
        if cases:
            yield from wrap(
                f"asked for by the perf-changelog of {entry.date:%Y-%m-%d} ({', '.join(entry.stacks)}: "
                f"{entry.what.rstrip('.')}): {', '.join(cases)}",
                WIDTH,
                subsequent_indent="  ",
                break_on_hyphens=False,
            )


def shard_lines(resolved: Resolved, bench: Bench, count: int) -> Iterator[str]:
    """What each of so many shards would hold of the plan, and how long it would take."""
    for number, cases in enumerate(
        split(resolved.suite, resolved.cases, resolved.contenders, count), start=1
    ):
        trials = [trial for trial in bench.plan.trials() if trial.case in cases]
        took = minutes(sum(map(bench.seconds, trials)))
        yield f"shard {number}/{count}: {len(trials)} trials, about {took}"
        yield from (f"  {case.path}" for case in cases)


def left_out(dropped: list[str]) -> Iterator[str]:
    """How much a budget leaves out, then which cases and contenders, in lines that fit a terminal."""
    named = {
        kind: [line.removeprefix(f"{kind} ") for line in dropped if line.startswith(f"{kind} ")]
        for kind in ("case", "contender")
    }
    counts = [f"{len(names)} {kind}{'s' * (len(names) > 1)}" for kind, names in named.items() if names]
    others = [line for line in dropped if not line.startswith(tuple(f"{kind} " for kind in named))]
    yield "left out to keep to the budget: " + ", ".join(counts + others)
    for kind, names in named.items():
        if names:
            yield from wrap(
                f"{kind}s: {', '.join(names)}",
                WIDTH,
                initial_indent="  ",
                subsequent_indent="    ",
                break_on_hyphens=False,
            )


def preparation_lines(request: Request, resolved: Resolved) -> Iterator[str]:
    """Download and disk that the environments still need, before anything is fetched."""
    needed = still_needed(request, resolved)
    if needed:
        yield (
            f"to prepare: {', '.join(map(str, needed.stacks))}; download about {needed.download_bytes / 1e6:,.0f} MB, "
            f"disk about {needed.disk_bytes / 1e9:.1f} GB"
        )
