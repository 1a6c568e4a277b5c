"""What a figure, an id or a name in a document of the host can be: outside of it the document is no such document."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

Id = Annotated[str, Meta(pattern="^[0-7][0-9a-hjkmnp-tv-z]{25}$")]
"""As ``new_trial_id`` makes them."""
ResultId = Annotated[str, Meta(pattern="^[a-z2-7]{10}$")]
"""As ``identity.result_id`` makes them."""
Name = Annotated[str, Meta(pattern="^[A-Za-z0-9_][A-Za-z0-9._-]{0,199}$")]
"""Of a host or a contender: it can name a folder."""
Commit = Annotated[str, Meta(pattern="^[0-9a-f]{40}$")]
Seconds = Annotated[float, Meta(gt=0.0, le=1e7)]  # four months
Ln = Annotated[float, Meta(ge=0.0, le=100.0)]
"""A spread or a limit of ln time; its exponential is a number."""
Factor = Annotated[float, Meta(gt=0.0, le=1e100)]
"""A ratio of times: the interval of two rounds far apart has ends that no machine has."""
Interval = Annotated[float, Meta(ge=0.0, le=1e100)]
"""An end of a ratio's interval: one of rounds that far apart begins at nothing."""
Rate = Annotated[float, Meta(gt=0.0, le=1e30)]  # per second
