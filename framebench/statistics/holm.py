"""Holm's correction: the price of asking several questions of one case."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Adjusted p values in the given order (Holm, Scand. J. Statist. 6, 1979); null stays null.

    With the m values sorted, ``adjusted(i) = max over j <= i of (m - j + 1) * p(j)``, at most 1. The family
    is the declared baseline against each other contender of one case; untestable ones do not count.
    """
    known = sorted((p, index) for index, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, index) in enumerate(known):
        largest = max(largest, min(1.0, (len(known) - rank) * p))
        adjusted[index] = largest
    return adjusted
