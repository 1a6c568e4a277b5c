"""``framebench answers``: which one, for which work, and by how much; the home page's sentences."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from framebench import dataset
from framebench.commands.saying import Sayer
from framebench.dataset.ladder import Ladder
from framebench.images import load_matrix
from framebench.pages import ladder, news
from framebench.pages.answer_words import long_title, plain
from framebench.pages.words import rate_unit
from framebench.records import index


def run(root: Path, results: Path, console: Console) -> None:
    """One paragraph per kind of work, all contenders over all of it, and what is new."""
    say = Sayer(console)
    data = dataset.load(
        [results] if results.exists() else [],
        retired=load_matrix(root).retired(),
        index=index.of(root, results),
    )
    say.skipped(data.broken)
    for answer in data.answers:
        say(f"{long_title(answer.question)}: {plain(answer)}")
        for result in answer.best:
            rate = (
                f"{result.throughput.value:,.0f} {rate_unit(result.unit)}"
                if result.throughput
                else result.status
            )
            say(f"  {result.id}  {result.label:<40} {rate:>21}")
        if answer.case:
            case = answer.case
            say(f"  {case.case.path} on {case.host_id}, executor {case.executor}, suite {case.protocol.name}")
    if data.ladders:
        _climb(data.ladders[0], say)
    for item in news.items(data.news):
        say(f"New on {item.date}, {item.host_id}: {item.text}")


def _climb(climbed: Ladder, say: Sayer) -> None:
    say(ladder.lead(climbed))
    for rung in climbed.rungs:
        ratio, interval = ladder.speed(rung)
        span = "baseline" if rung.is_baseline else f"({interval})" if interval else ""
        needed = f"{climbed.needed} {ladder.need(rung)}"
        say(f"  {ladder.place(rung):>7}  {rung.result.label:<40} {ratio:>7}× {span:<17} {needed}")
    for line in ladder.incomplete(climbed):
        say(f"  {line}")
