"""What the compare page's script reads: every figure of every result, in columns, with the words that go beside them.

Nothing is computed here, and the script computes no statistic: intervals come from the dataset, verdicts from
``data/baselines.json``; it divides figures by each other and averages such ratios, and says so.
"""

from __future__ import annotations

import json
from typing import Any

from framebench.dataset import Result
from framebench.errors import visible
from framebench.pages.chart import caption, failure_text, result_marks
from framebench.pages.compare import kernels_text, members, note, offered
from framebench.pages.evidence import Evidence, Group
from framebench.pages.facets import facets
from framebench.pages.metrics import Metric
from framebench.pages.words import common_unit, rate_unit, result_name


def compare_json(evidence: Evidence) -> str:
    """``groups``, ``contenders`` and ``results``, each by column; a result names its group and contender by their index
    and its longer texts by their index in ``texts``. ``figures`` has, by the column's name in the downloads, one value
    per result, null where there is none, rounded to six digits; columns of ends of intervals where there are any."""
    texts: dict[str, int] = {"": 0}
    contenders: dict[str, tuple[int, Result]] = {}
    rows: list[tuple[int, Result]] = []
    for number, group in enumerate(evidence.groups):
        for result in members(group):
            contenders.setdefault(result.label, (len(contenders), result))
            rows.append((number, result))

    def text(value: str) -> int:
        return texts.setdefault(visible(value), len(texts))

    def marks(result: Result) -> int:
        """Words and their meanings, a line each, a tab between."""
        lines = [f"{visible(mark.word)}\t{visible(mark.meaning)}" for mark in result_marks(result)]
        return texts.setdefault("\n".join(lines), len(texts))

    results = {
        "id": [result.id for _, result in rows],
        "group": [number for number, _ in rows],
        "contender": [contenders[result.label][0] for _, result in rows],
        "ranked": [int(result.ranked) for _, result in rows],
        "failure": [text(failure_text(result)) for _, result in rows],
        "kernels": [text(kernels_text(result)) for _, result in rows],
        "marks": [marks(result) for _, result in rows],
        "image": [text(result.image.name or "") for _, result in rows],
        "started_utc": [result.started_utc for _, result in rows],
    }
    named = [result for _, result in contenders.values()]
    document = {
        "groups": _groups(evidence.groups),
        "contenders": {
            "label": list(contenders),
            "slug": [result.contender.slug for result in named],
            "name": [result_name(result) for result in named],
            "stack": [result.contender.stack for result in named],
            "mode": [result.contender.mode for result in named],
        },
        "results": results,
        "texts": list(texts),
        "figures": _figures([result for _, result in rows], offered(evidence)),
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n"


def _groups(groups: list[Group]) -> dict[str, list[str | None]]:
    table: dict[str, list[str | None]] = {
        "anchor": [group.anchor for group in groups],
        "case": [group.case.path for group in groups],
        "title": [group.short_title for group in groups],
        "caption": [caption(group) for group in groups],
        "note": [note(group) for group in groups],
        "unit": [rate_unit(common_unit(group.timed)) for group in groups],
        "baseline": [group.baseline for group in groups],
    }
    return table | {facet.key: [facet.of(group).value for group in groups] for facet in facets()}


def _figures(results: list[Result], offers: list[Metric]) -> dict[str, list[float | None]]:
    columns: dict[str, list[float | None]] = {}
    for metric in offers:
        figures = [metric.of(result) for result in results]
        for end, suffix in enumerate(("", "_low", "_high")):
            values = [_rounded(figure[end]) for figure in figures]
            if not end or any(value is not None for value in values):
                columns[metric.column + suffix] = values
    return columns


def _rounded(value: float | None) -> Any:
    """Six digits: more than any interval leaves sure."""
    if value is None:
        return None
    short = float(f"{value:.6g}")
    return int(short) if short.is_integer() else short
