"""Home: which one, for my work, and by how much? Answered per scenario, or plainly not answered."""

from __future__ import annotations

from typing import Any, NamedTuple

from markupsafe import Markup

from framebench.dataset.answers import QUESTIONS, Answer, Question, State
from framebench.pages.answer_words import marked, title
from framebench.pages.chart import Row, caption, chart
from framebench.pages.evidence import Evidence
from framebench.pages.words import _

__all__ = ["QUESTIONS", "Scenario", "scenario", "view"]


class Scenario(NamedTuple):
    """One card: the question, the answer in a sentence, the best of each framework, and where to look."""

    title: str
    state: State
    sentence: Markup
    rows: list[Row]
    where: str
    href: str | None


def view(evidence: Evidence) -> dict[str, Any]:
    """Everything the template ``index.md.j2`` of the home page needs."""
    scenarios = [_card(answer, evidence) for answer in evidence.dataset.answers]
    states = {one.state for one in scenarios}
    return {
        "scenarios": scenarios,
        "measured": states != {"not measured"},
        "answered": "answered" in states,
        "busy": "answered" not in states and "no quiet host" in states,
        "results": len(evidence.dataset.results),
        "trials": len(evidence.dataset.records),
        "problems": len(evidence.dataset.broken),
    }


def scenario(question: Question, evidence: Evidence) -> Scenario:
    """The card of one question."""
    return next(_card(one, evidence) for one in evidence.dataset.answers if one.question == question)


def _card(answer: Answer, evidence: Evidence) -> Scenario:
    head, sentence = title(answer.question), marked(answer)
    group = next((group for group in evidence.groups if group.comparison is answer.case), None)
    if group is None:
        return Scenario(head, answer.state, sentence, [], "", None)
    rows = {row.href: row for row in chart(group, "").rows}
    return Scenario(
        title=head,
        state=answer.state,
        sentence=sentence,
        rows=[rows[f"results/{result.id}/"] for result in answer.best],
        where=f"{group.case.workload}, {_('preset')} {group.case.preset} · {caption(group)}",
        href=f"compare/#{group.anchor}",
    )
