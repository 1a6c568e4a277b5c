"""Two results of one case against each other: one question, so no correction for several."""

from __future__ import annotations

from collections.abc import Sequence

from framebench.dataset.aa_pairs import host_noises
from framebench.dataset.case_comparisons import comparable, time_table
from framebench.dataset.result import Result
from framebench.errors import UserError
from framebench.statistics.comparison import Comparison, compare_case
from framebench.statistics.verdict import Verdict, margin, verdict


def compare_two(results: Sequence[Result], a: Result, b: Result) -> tuple[Comparison, Verdict]:
    """Two results of one case, ``a`` against ``b``: ln ratio of times and the verdict on ``a``.

    One question, so no correction. ``UserError`` if they are not the same work, place or timed at all.
    """
    for name, one, other in [
        ("case", a.case.path, b.case.path),
        ("host", a.host_id, b.host_id),
        ("protocol", a.protocol.name, b.protocol.name),
        ("executor", a.executor, b.executor),
        ("edition", a.edition or "newest", b.edition or "newest"),
    ]:
        if one != other:
            raise UserError(
                f"{a.id} and {b.id} cannot be compared: {name} {one} and {other} differ;"
                " name two results that share case, host, executor, protocol and its edition (what was measured"
                " before and after the protocol or the workload changed is not compared)"
            )
    if a.id == b.id:
        raise UserError(f"{a.id} cannot be compared with itself; name two results")
    for result in (a, b):
        if not comparable(result):
            raise UserError(
                f"{result.id} has no time to compare: {result.status}, {result.reason or 'no reason given'}"
            )
    comparison = compare_case(time_table([a, b]), 1)[0]
    assert comparison is not None
    noise = host_noises(results).get(a.host_id)
    return comparison, verdict(comparison, margin(noise.limit if noise else None))
