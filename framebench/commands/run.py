"""``framebench run``: resolve what was asked for, prepare its environments, plan, measure."""

from __future__ import annotations

import time
from collections.abc import Iterator

from rich.console import Console

from framebench.campaign.campaign import Summary
from framebench.campaign.opening import Bench, open_campaign
from framebench.campaign.preparation import prepare
from framebench.campaign.request import Request, Resolved, Say, as_known, for_each_card, resolve
from framebench.commands.campaign_progress import CampaignProgress
from framebench.commands.phrases import minutes
from framebench.commands.plan import plan_lines, preparation_lines, unsupported_lines
from framebench.commands.saying import Sayer
from framebench.commands.stop_signals import stopping
from framebench.executors import StackOn
from framebench.executors.alone import alone
from framebench.records import store
from harness.record import ImageRef

STOPPED = 130  # by hand


def run(request: Request, console: Console) -> int:
    """Run the campaign; exit code 0 when its plan has numbers, 1 when it has none, 130 when stopped by hand.

    Of several GPUs, one campaign on each: the worst code, and the rest is left where one is stopped.
    """
    worst = 0
    for one in for_each_card(request):
        code = _run_on_card(one, console)
        worst = max(worst, code)
        if code == STOPPED:
            break
    return worst


def _run_on_card(request: Request, console: Console) -> int:
    say = Sayer(console)
    resolved = resolve(request, say)
    for line in unsupported_lines(resolved):
        say(line)
    if not resolved.cases:  # of a shard beyond the last case
        return 0
    store.require_writable(request.results)
    with alone(request.root, say):
        return _run(request, resolved, say, console)


def _run(request: Request, resolved: Resolved, say: Say, console: Console) -> int:
    images = _prepared(request, resolved, say)
    bench = open_campaign(request, resolved, images, say)
    for line in plan_lines(bench):
        say(line)
    stopped = None
    if not bench.plan.trials():
        say("everything in this plan is done already (--force runs it again)")
    else:
        summary = _measure(bench, console)
        stopped = summary.stopped
        for line in _report(bench, summary):
            say(line)
    if bench.campaign.stop_after_trial:
        return STOPPED
    if bench.has_number(resolved.cases):
        return 0
    mend = "the same command carries on" if stopped else "--retry-failed runs again what did not end well"
    say(f"no number came out; {mend}")
    return 1


def _prepared(request: Request, resolved: Resolved, say: Say) -> dict[StackOn, ImageRef]:
    """The environments; what they take is said before anything is fetched."""
    if len(resolved.ready) < len(resolved.stacks) and not resolved.nothing_here:
        estimate = open_campaign(request, resolved, as_known(resolved), say).plan.estimate_s
        say(f"to measure: about {minutes(estimate)}")
        for line in preparation_lines(request, resolved):
            say(line)
    started = time.monotonic()
    images = prepare(resolved, say)
    say(f"environments ready after {minutes(time.monotonic() - started)}")
    return images


def _measure(bench: Bench, console: Console) -> Summary:
    deadline = None if bench.budget_s is None else time.monotonic() + bench.budget_s
    with stopping(bench.campaign, Sayer(console)), CampaignProgress(console) as progress:
        return bench.campaign.run(bench.plan, progress, bench.estimator, deadline)


def _report(bench: Bench, summary: Summary) -> Iterator[str]:
    outcomes = ", ".join(f"{count} {status}" for status, count in sorted(summary.outcomes.items()))
    yield (
        f"outcomes: {outcomes or 'nothing ran'}; {summary.skipped} not run because their gate did not pass"
    )
    yield f"time: {minutes(summary.elapsed_s)}, estimated {minutes(bench.plan.estimate_s)}"
    if summary.stopped:
        yield summary.stopped
