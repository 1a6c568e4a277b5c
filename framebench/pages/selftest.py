"""What self-tests found: one line per host for the method page, every check for the host's own page."""

from __future__ import annotations

import math
from typing import Any

from framebench.language import _
from framebench.pages import figures
from framebench.pages.evidence import Evidence
from framebench.pages.views import Cell, Table
from framebench.records.selftest_document import Check, Planted, Ratio, SelfTest

NUM = "fb-num"


def summary(evidence: Evidence, prefix: str) -> Table | None:
    """The newest self-test of every host (a full one before quick ones); null without any."""
    rows = []
    for host_id, selftests in sorted(evidence.dataset.selftests.items()):
        newest = weightiest(selftests)
        equal = newest.false_winners
        rate = f"{figures.percent(equal.low)} – {figures.percent(equal.high)}"
        failed = sum(check.answer == "fail" for check in newest.checks)
        rows.append(
            [
                Cell(host_id, href=f"{prefix}hosts/{host_id}/", code=True),
                Cell(f"{newest.tested_utc[:10]}, {_(newest.form)}"),
                Cell(_("{wrong} of {count}").format(wrong=equal.false_winners, count=equal.comparisons), NUM),
                Cell(rate, NUM),
                Cell(figures.percent(equal.spread_ln), NUM),
                Cell(_ratio(newest.observer), NUM),
                Cell(
                    _("{failed} of {count}").format(failed=failed, count=len(newest.checks)),
                    "fb-no" if failed else "fb-yes",
                ),
            ]
        )
    head = [
        _("Host"),
        _("Self-test"),
        _("False winners"),
        _("95 % interval"),
        _("Spread of trials"),
        _("Observer effect"),
        _("Checks that failed"),
    ]
    return Table(head, rows) if rows else None


def view(host_id: str, evidence: Evidence) -> dict[str, Any] | None:
    """The checks and the power table of the host's newest self-test."""
    selftests = evidence.dataset.selftests.get(host_id)
    if not selftests:
        return None
    newest = weightiest(selftests)
    lead = _(
        "{form} form, {date}, {trials} trials in {time}, commit {commit}. Equals were told apart in {wrong} of {count} "
        "comparisons with itself; the standard deviation from trial to trial is {spread}."
    ).format(
        form=_("Full") if newest.form == "full" else _("Quick"),
        date=newest.tested_utc[:10],
        trials=newest.trials,
        time=figures.duration(newest.duration_s * 1e9),
        commit=(newest.git_commit or _("unknown"))[:12] + (_(" (changed)") if newest.dirty else ""),
        wrong=newest.false_winners.false_winners,
        count=newest.false_winners.comparisons,
        spread=figures.percent(newest.false_winners.spread_ln),
    )
    if newest.disturbed:
        lead += " " + _("Others took the cores during {count} of the trials.").format(count=newest.disturbed)
    return {
        "lead": lead,
        "checks": Table(
            [_("Check"), _("Found"), _("Asked"), _("Answer")], [_check(check) for check in newest.checks]
        ),
        "power": _power(newest.planted),
    }


def weightiest(selftests: list[SelfTest]) -> SelfTest:
    """The newest full self-test, or the newest of all where none was full."""
    return max(selftests, key=lambda one: (one.form == "full", one.selftest_id))


def _check(check: Check) -> list[Cell]:
    css = {"pass": "fb-yes", "fail": "fb-no"}.get(check.answer, "")
    return [
        Cell(check.name, quoted=True),
        Cell(check.found, "fb-reason", quoted=True),
        Cell(check.bound, "fb-reason", quoted=True),
        Cell(_(check.answer), css),
    ]


def _power(planted: list[Planted]) -> Table | None:
    rows = [
        [
            Cell(f"{row.percent} %"),
            Cell(str(row.rounds), NUM),
            Cell(_("{found} of {count}").format(found=row.found, count=row.campaigns), NUM),
            Cell(f"{figures.percent(row.low)} – {figures.percent(row.high)}", NUM),
            Cell(figures.percent(row.predicted), NUM),
            Cell(figures.percent(math.expm1(row.equal_within_ln)), NUM),
            Cell(_("more than 1000") if row.rounds_needed is None else str(row.rounds_needed), NUM),
        ]
        for row in planted
    ]
    head = [
        _("Planted slow-down"),
        _("Rounds"),
        _("Found"),
        _("Interval"),
        _("Predicted"),
        _("Counts as equal within"),
        _("Rounds for 95 %"),
    ]
    return Table(head, rows) if rows else None


def _ratio(ratio: Ratio | None) -> str:
    if ratio is None:
        return figures.NONE
    value, interval = figures.with_interval(ratio.value, ratio.low, ratio.high)
    return f"{value} ({interval})" if interval else value
