"""Questions that people ask: answered by the page that measures, or by what can be said where nothing can be."""

from __future__ import annotations

from typing import Any, NamedTuple

from markupsafe import Markup

from framebench.language import _
from framebench.pages.answer_words import long_title, marked
from framebench.pages.evidence import Evidence
from framebench.pages.guides.questions import QUESTIONS, Question


class Answered(NamedTuple):
    """A question with its answer, how many results are behind it, and what they say where it is asked outright."""

    asked: Question
    evidence: str
    sentences: list[tuple[str, Markup]]  # which work, the answer


def view(evidence: Evidence) -> dict[str, Any]:
    """Everything the template ``guides/faq.md.j2`` needs."""
    return {
        "title": _("Questions"),
        "lead": _(
            "What people ask before they choose, most asked first. What can be measured is answered by the page that "
            "measures it; what cannot, in two sentences."
        ),
        "questions": [
            Answered(one, _behind(one, evidence), _training(evidence) if one.name == "training" else [])
            for one in QUESTIONS
        ],
    }


def _behind(question: Question, evidence: Evidence) -> str:
    """On how many results the answer rests; empty where no result could answer."""
    if question.rests_on is None:
        return ""
    timed = [one for one in evidence.dataset.results if one.time_ns is not None and not one.superseded]
    count = sum(map(question.rests_on, timed))
    return _("Measured so far: {n} results.").format(n=count) if count else _("Not measured yet.")


def _training(evidence: Evidence) -> list[tuple[str, Markup]]:
    """The dataset's own answers for every kind of training."""
    answers = [one for one in evidence.dataset.answers if one.question.task == "train"]
    return [(long_title(one.question), marked(one)) for one in answers]
