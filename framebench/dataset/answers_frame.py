"""The answers as a table: one row per kind of work."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from framebench.dataset.answers import Answer
from framebench.dataset.file_formats import table

if TYPE_CHECKING:
    import pandas as pd


def answers_frame(answers: Iterable[Answer], sentences: Iterable[str]) -> pd.DataFrame:
    """Speeds are ratios of units per second, the first's over the second's; ``sentence`` is what the home page says."""
    return table([_row(answer, sentence) for answer, sentence in zip(answers, sentences, strict=True)])


def _row(answer: Answer, sentence: str) -> dict[str, Any]:
    case = answer.case
    first, second = [*answer.best, None, None][:2]
    ratio = answer.ratios.get(second.id) if second else None
    against = answer.against
    start, memory = (against.later_start, against.more_memory) if against else (None, None)
    return {
        "workload": answer.question.workload,
        "task": answer.question.task,
        "state": answer.state,
        "relation": answer.relation,
        "case": case.case.path if case else None,
        "host_id": case.host_id if case else None,
        "executor": case.executor if case else None,
        "protocol": case.protocol.name if case else None,
        "edition": case.edition if case else None,
        "measured_utc": case.measured_utc if case else None,
        "baseline": case.baseline.label if case and case.baseline else None,
        "first": first.label if first else None,
        "first_result_id": first.id if first else None,
        "first_units_per_s": first.throughput.value if first and first.throughput else None,
        "unit": first.unit if first else None,
        "second": second.label if second else None,
        "second_result_id": second.id if second else None,
        "speed_ratio": ratio.ratio if ratio else None,
        "speed_ratio_low": ratio.low if ratio else None,
        "speed_ratio_high": ratio.high if ratio else None,
        "first_step_ns": start.own_ns if start else None,
        "first_step_least_ns": start.least_ns if start else None,
        "first_step_cache": start.cache if start else None,
        "first_step_repaid_steps": start.repaid_steps if start else None,
        "peak_memory_bytes": memory.own if memory else None,
        "peak_memory_least_bytes": memory.least if memory else None,
        "failed_trials": against.failed_trials if against else None,
        "failed_elsewhere": "; ".join(f"{one.case.path}: {one.status}" for one in against.failed_elsewhere)
        if against
        else None,
        "earlier": "; ".join(result.label for result in answer.earlier),
        "not_ranked": "; ".join(answer.not_ranked),
        "faster_unranked": "; ".join(result.label for result in answer.faster_unranked),
        "reasons": "; ".join(answer.reasons),
        "sentence": sentence,
    }
