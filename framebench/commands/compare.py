"""``framebench compare``: two results of one case, their ratio and the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from framebench import dataset
from framebench.commands.phrases import interval
from framebench.commands.saying import Sayer
from framebench.pages.flags import unranked_word


def run(folders: Sequence[Path], a: str, b: str, console: Console) -> None:
    """The ratio of two results of one case, with its interval and verdict."""
    data = dataset.load(folders)
    Sayer(console).skipped(data.broken)
    one, other = data.find(a)[0], data.find(b)[0]
    comparison, verdict = dataset.compare_two(data.results, one, other)
    ratio = dataset.ratio(comparison)
    console.print(f"{one.case.path} on {one.host_id}", markup=False)
    console.print(
        f"time of {one.label} / time of {other.label}: {interval(ratio, '.3f')} "
        f"over {ratio.n} rounds ({comparison.method}): {verdict}",
        markup=False,
    )
    for result in (one, other):
        if not result.ranked:
            console.print(
                f"note: {result.label} is unranked ({unranked_word(result.unranked_because)})", markup=False
            )
