"""Claims: sentences about speed that circulate, each beside what was measured here, with a verdict by rule."""

from __future__ import annotations

from typing import Any, NamedTuple

from framebench.dataset.claims import Finding, Judgement, Outcome, Verdict, judge
from framebench.language import N_, _
from framebench.pages import figures
from framebench.pages.evidence import Evidence, Group
from framebench.pages.guides.circulating import Circulating, circulating
from framebench.pages.views import Cell, Table
from framebench.pages.words import result_name
from framebench.records.identity import group_key

NUM = "fb-num"
REASON = "fb-reason"
VERDICTS: dict[Verdict, str] = {
    "holds": N_("holds here"),
    "does not hold": N_("does not hold here"),
    "undecided": N_("undecided here"),
    "not measured": N_("not measured here"),
}
OUTCOMES: dict[Outcome, str] = {
    "holds": N_("holds"),
    "does not hold": N_("does not hold"),
    "undecided": N_("undecided"),
    "not ranked": N_("not ranked"),
}
CSS = {"holds": "fb-yes", "does not hold": "fb-no"}


class ClaimView(NamedTuple):
    """One sentence with its verdict and the cases behind it."""

    said: Circulating
    verdict: str
    tally: str
    table: Table


def view(evidence: Evidence) -> dict[str, Any]:
    """Everything the template ``guides/claims.md.j2`` needs."""
    groups = {group.key: group for group in evidence.groups}
    judged = [(one, judge(one.claim, evidence.dataset)) for one in circulating()]
    return {
        "title": _("Claims"),
        "lead": _(
            "Sentences about speed that circulate, each with its source, what was measured here, and a verdict."
        ),
        "overview": _overview(judged),
        "claims": [
            ClaimView(one, _(VERDICTS[judgement.verdict]), _tally(judgement), _table(judgement, groups))
            for one, judgement in judged
        ],
    }


def _overview(judged: list[tuple[Circulating, Judgement]]) -> Table:
    rows = [
        [
            Cell(one.sentence, REASON, f"#{one.name}"),
            Cell(_(VERDICTS[judgement.verdict]), CSS.get(judgement.verdict, "")),
            Cell(_tally(judgement) or figures.NONE, REASON),
        ]
        for one, judgement in judged
    ]
    return Table([_("Claim"), _("Verdict"), _("Comparisons")], rows)


def _tally(judgement: Judgement) -> str:
    """``holds: 2, undecided: 1``; empty where nothing was measured."""
    counts = {_(word): judgement.count(outcome) for outcome, word in OUTCOMES.items()}
    return ", ".join(f"{word}: {count}" for word, count in counts.items() if count)


def _table(judgement: Judgement, groups: dict[tuple[str, ...], Group]) -> Table:
    rows = [_row(finding, groups[group_key(finding.faster)]) for finding in judgement.findings]
    head = [
        _("Case"),
        _("Said to be faster"),
        _("Than"),
        _("Speed ÷ speed"),
        _("95 % interval"),
        _("Equal within"),
        _("The claim"),
        _("Host"),
    ]
    return Table(head, rows)


def _row(finding: Finding, group: Group) -> list[Cell]:
    measured = finding.measured
    value, interval = figures.with_interval(measured.ratio, measured.low, measured.high)
    return [
        Cell(group.short_title, REASON, f"../../compare/#{group.anchor}"),
        *(
            Cell(result_name(one), REASON, f"../../results/{one.id}/", stack=one.contender.stack)
            for one in (finding.faster, finding.slower)
        ),
        Cell(f"{value}×", NUM),
        Cell(interval, NUM),
        Cell(figures.percent(finding.equal_within), NUM),
        Cell(_(OUTCOMES[finding.outcome]), CSS.get(finding.outcome, "")),
        Cell(group.host_id, REASON, f"../../hosts/{group.host_id}/"),
    ]
