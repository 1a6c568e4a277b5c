"""``framebench run``: resolve what was asked for, prepare its environments, plan, measure."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from types import FrameType

from rich.console import Console

from framebench.campaign.campaign import Campaign, Summary
from framebench.campaign.opening import Bench, open_campaign
from framebench.campaign.preparation import prepare
from framebench.campaign.request import Request, Resolved, Say, as_known, resolve
from framebench.commands.campaign_progress import CampaignProgress
from framebench.commands.phrases import minutes
from framebench.commands.plan import plan_lines, preparation_lines, unsupported_lines
from framebench.commands.saying import Sayer
from framebench.executors import StackOn
from harness.record import ImageRef


def run(request: Request, console: Console) -> int:
    """Run the campaign; exit code 0 when it ended as planned or by the budget, 130 when stopped by hand."""
    say = Sayer(console)
    resolved = resolve(request, say)
    for line in unsupported_lines(resolved):
        say(line)
    if not resolved.cases:  # of a shard beyond the last case
        return 0
    images = _prepared(request, resolved, say)
    bench = open_campaign(request, resolved, images, say)
    for line in plan_lines(bench):
        say(line)
    if not bench.plan.trials():
        say("everything in this plan is done already (--force runs it again)")
        return 0
    summary = _measure(bench, console)
    for line in _report(bench, summary):
        say(line)
    return 130 if bench.campaign.stop_after_trial else 0


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
    restore = _stop_on_ctrl_c(bench.campaign, Sayer(console))
    deadline = None if bench.budget_s is None else time.monotonic() + bench.budget_s
    try:
        with CampaignProgress(console) as progress:
            return bench.campaign.run(bench.plan, progress, bench.estimator, deadline)
    finally:
        restore()


def _report(bench: Bench, summary: Summary) -> Iterator[str]:
    outcomes = ", ".join(f"{count} {status}" for status, count in sorted(summary.outcomes.items()))
    yield (
        f"outcomes: {outcomes or 'nothing ran'}; {summary.skipped} not run because their gate did not pass"
    )
    yield f"time: {minutes(summary.elapsed_s)}, estimated {minutes(bench.plan.estimate_s)}"
    if summary.stopped:
        yield summary.stopped


def _stop_on_ctrl_c(campaign: Campaign, say: Say) -> Callable[[], None]:
    """First Ctrl-C: finish the trial. Second, or SIGTERM: kill it. Every finished trial is on disk either way.

    SIGTERM comes from whoever ends a job at its time limit, seconds before SIGKILL.
    """

    def handle(number: int, frame: FrameType | None) -> None:
        if campaign.stop_after_trial or number == signal.SIGTERM:
            campaign.stop_after_trial = True
            campaign.executor.stop()
        else:
            campaign.stop_after_trial = True
            say("finishing the current trial; press Ctrl-C again to stop now")

    previous = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in previous.items():
            signal.signal(number, handler)

    return restore
