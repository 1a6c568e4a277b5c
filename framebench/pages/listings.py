"""Tables of results for the pages that collect them: of an image, of a host, of a stack."""

from __future__ import annotations

from collections.abc import Iterable

from framebench.dataset import Result
from framebench.language import _
from framebench.pages import figures, flags
from framebench.pages.chart import failure_text
from framebench.pages.views import Cell, Table
from framebench.pages.words import rate_unit, result_name


def results_table(results: Iterable[Result], up: str) -> Table:
    """One row per result that is not superseded, by case and contender."""
    rows = []
    for result in sorted(results, key=lambda r: (r.case.path, r.label)):
        if result.superseded:
            continue
        value, interval = figures.NONE, ""
        if result.throughput is not None:
            value, interval = figures.with_interval(*result.throughput[:3])
            value = f"{value} {rate_unit(result.unit)}"
        remark = failure_text(result) or flags.unranked_word(result.unranked_because)
        rows.append(
            [
                Cell(
                    result_name(result),
                    href=f"{up}results/{result.id}/",
                    stack=result.contender.stack,
                ),
                Cell(result.case.path, code=True),
                Cell(value, "fb-num"),
                Cell(interval or figures.NONE, "fb-num"),
                Cell(str(len(result.timed)), "fb-num"),
                Cell(remark, "fb-reason"),
            ]
        )
    head = [_("Contender"), _("Case"), _("Throughput"), _("95 % interval"), _("Trials"), _("Remark")]
    return Table(head, rows)
