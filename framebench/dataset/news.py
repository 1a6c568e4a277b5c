"""What is new: the campaigns that measured last."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from framebench.dataset.result import Result


class News(NamedTuple):
    """One campaign on one host: when its newest trial was measured, and its results with a time that no newer ones
    have replaced, as they are sorted."""

    measured_utc: str
    host_id: str
    results: list[Result]

    @property
    def workloads(self) -> list[str]:
        """What was measured, by name."""
        return sorted({result.case.workload for result in self.results})

    @property
    def stacks(self) -> set[str]:
        """In what it was measured."""
        return {result.contender.stack for result in self.results}


def news(results: Iterable[Result]) -> list[News]:
    """The newest first; a result counts for the campaign of its newest timed trial. A/A twins are no results here."""
    campaigns: dict[tuple[str, str], list[Result]] = defaultdict(list)
    for result in results:
        if result.timed and not result.superseded and not result.contender.twin:
            campaigns[result.timed[-1].campaign_id, result.host_id].append(result)
    told = [
        News(max(one.timed[-1].started_utc for one in members), host_id, members)
        for (_campaign, host_id), members in campaigns.items()
    ]
    return sorted(told, key=lambda one: (one.measured_utc, one.host_id), reverse=True)
