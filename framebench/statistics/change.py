"""How much has a time changed from some campaigns to others? The wider of two intervals, and what is called slower.

Rounds of one campaign share its day: what differs between days (another machine of the same kind, its temperature, its
neighbours) is in none of their spread. Where contenders were measured in several campaigns, the spread between
campaigns is known, and a campaign is the unit of replication; where none was, only the rounds can speak.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from framebench.statistics.comparison import Comparison, welch
from framebench.statistics.interval import t_quantile

Campaigns = Sequence[NDArray[np.float64]]
"""ln times of one contender, an array of its rounds for each campaign."""


class CampaignSpread(NamedTuple):
    """Standard deviation (ln) of the mean of a campaign's rounds from campaign to campaign, and its df."""

    deviation: float
    df: int


class Change(NamedTuple):
    """``comparison`` is ln(new / old); ``by`` says what its interval rests on."""

    comparison: Comparison
    by: Literal["rounds", "campaigns"]


def campaign_spread(sides: Sequence[Collection[Mapping[str, float]]]) -> CampaignSpread | None:
    """Pooled over contenders; null where none was measured in two campaigns.

    ``sides``: each a set of campaigns of its own, with the mean ln time of each contender in a case by campaign. What
    a campaign does to one contender it does to others, so the degrees of freedom are those of the campaigns.
    """
    squares, count, df = 0.0, 0, 0
    for side in sides:
        repeated = [means for means in side if len(means) > 1]
        for means in repeated:
            squares += float(np.var([*means.values()])) * len(means)
            count += len(means) - 1
        df += max(0, len({campaign for means in repeated for campaign in means}) - 1)
    return CampaignSpread(math.sqrt(squares / count), df) if count else None


def change(new: Campaigns, old: Campaigns, spread: CampaignSpread | None) -> Change:
    """Both sides have at least one round. The error is null where a side has one round and no spread is known."""
    comparison = welch(np.concatenate(new), np.concatenate(old))
    if spread is None:
        return Change(comparison, "rounds")
    error = spread.deviation * math.sqrt(1 / len(new) + 1 / len(old))
    half = t_quantile(spread.df) * error
    if comparison.half_width is not None and half <= comparison.half_width:
        return Change(comparison, "rounds")
    ratio = float(np.mean([one.mean() for one in new]) - np.mean([one.mean() for one in old]))
    ends = ratio - half, ratio + half
    wider = comparison._replace(log_ratio=ratio, standard_error=error, df=float(spread.df))
    return Change(wider._replace(low=ends[0], high=ends[1]), "campaigns")
