"""``framebench selftest``: run the trials, judge them, store the answers, say them."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from pathlib import Path
from typing import Literal

from rich.console import Console

from framebench.commands.selftest_progress import SelfTestProgress
from framebench.dataset.selftest_checks import QUIET_SPREAD
from framebench.executors.alone import alone
from framebench.records import store
from framebench.records.selftest_document import Check, Planted, SelfTest
from framebench.selftest.campaigns import FULL, QUICK, SelfTestCampaigns
from framebench.selftest.conclusion import conclude

MARKS = {"pass": "pass     ", "fail": "FAIL     ", "undecided": "undecided"}


def run(root: Path, results: Path, form: Literal["quick", "full"], console: Console) -> int:
    """Test the machinery on this machine; exit code 0 if no check failed, else 1.

    The trials' records lie in ``build/selftest/<id>/``; what they say is written below ``results``.
    """
    progress = SelfTestProgress(console)
    selftest_id = store.new_trial_id()
    folder = root / "build" / "selftest" / selftest_id
    campaigns = SelfTestCampaigns(root, folder, progress)
    started = time.monotonic()
    store.require_writable(results)
    with alone(root, progress.say):
        trials = campaigns.run(FULL if form == "full" else QUICK)
    document = conclude(campaigns, trials, selftest_id, form, time.monotonic() - started)
    path = store.write_selftest(document, results)
    if form == "quick":
        shutil.rmtree(folder)  # nobody reads so few; those of the full form can be looked at
    for line in report(document):
        progress.say(line)
    progress.say(f"written to {path}")
    progress.say(summary(document.checks))
    return 1 if any(check.answer == "fail" for check in document.checks) else 0


def report(document: SelfTest) -> list[str]:
    """Each check on a line, then the power table where there is one."""
    lines = [
        f"{MARKS[check.answer]}  {check.name}: {check.found} (asked: {check.bound})"
        for check in document.checks
    ]
    if document.planted:
        lines += [
            "",
            "planted  rounds  found     predicted  rounds for 95 %",
            *map(_power_row, document.planted),
        ]
    if document.disturbed:
        lines.append(
            f"others took the cores during {document.disturbed} of {document.trials} trials: on a quiet machine "
            "less is undecided, and smaller differences are found"
        )
    spread = document.false_winners.spread_ln
    if document.disturbed is not None and 10 * document.disturbed < document.trials and spread > QUIET_SPREAD:
        lines.append(
            f"trials spread {spread:.1%} although hardly anything else ran here: what slows the cores is outside "
            "this machine's counters, such as a neighbour on the same physical host or a changing clock"
        )
    return lines


def summary(checks: list[Check]) -> str:
    """The last line: how many checks ended how."""
    answers = Counter(check.answer for check in checks)
    return f"{len(checks)} checks: {answers['pass']} pass, {answers['fail']} fail, {answers['undecided']} undecided"


def _power_row(row: Planted) -> str:
    needed = "more than can be simulated" if row.rounds_needed is None else str(row.rounds_needed)
    return f"{row.percent:>5} %  {row.rounds:>6}  {row.found:>3} of {row.campaigns:<3} {row.predicted:>8.0%}  {needed}"
