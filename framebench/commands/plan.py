"""``framebench plan``: what would run, what is done already, and how long it would take."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console

from framebench.campaign.opening import Bench, open_campaign
from framebench.campaign.preparation import still_needed
from framebench.campaign.request import Request, Resolved, as_known, resolve
from framebench.campaign.unsupported import broken_folders
from framebench.commands.phrases import minutes
from framebench.commands.saying import Sayer


def run(request: Request, console: Console) -> None:
    """Print the plan without running or building anything."""
    say = Sayer(console)
    resolved = resolve(request, say)
    bench = open_campaign(request, resolved, as_known(resolved), say)
    for trial in bench.plan.gates:
        say(f"gate     {trial.kind:<10} {trial.case.path}  {trial.contender.slug}")
    for batch in bench.plan.rounds:
        for trial in batch:
            say(f"round {trial.round:<2} {trial.kind:<10} {trial.case.path}  {trial.contender.slug}")
    for line in [
        *plan_lines(bench),
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
        yield "left out to keep to the budget: " + "; ".join(plan.dropped)
    if bench.campaign.source.dirty:
        yield "note: the working tree differs from its commit; these records are marked dirty"


def preparation_lines(request: Request, resolved: Resolved) -> Iterator[str]:
    """Download and disk that the environments still need, before anything is fetched."""
    needed = still_needed(request, resolved)
    if needed:
        yield (
            f"to prepare: {', '.join(map(str, needed.stacks))}; download about {needed.download_bytes / 1e6:,.0f} MB, "
            f"disk about {needed.disk_bytes / 1e9:.1f} GB"
        )
