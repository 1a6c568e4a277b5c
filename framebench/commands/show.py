"""``framebench show``: the dataset's words and figures, in a terminal."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from framebench import dataset
from framebench.commands.phrases import interval
from framebench.commands.saying import Sayer
from framebench.dataset import Dataset, Result
from framebench.pages.flags import unranked_word, word
from framebench.pages.words import rate_unit
from framebench.records import index


def run(root: Path, results: Path, wanted: str | None, console: Console) -> None:
    """All results, or one of them whole."""
    data = dataset.load([results], index=index.of(root, results))
    Sayer(console).skipped(data.broken)
    if wanted is None:
        _list(data, console)
        return
    result, trial = data.find(wanted)
    _one(data, result, console)
    if trial is not None:
        console.print(f"trial      {trial.trial_id}: {trial.kind}, {trial.outcome.status}", markup=False)
        console.print(f"           {data.paths[trial.trial_id]}", markup=False)


def _list(data: Dataset, console: Console) -> None:
    if not data.results:
        console.print("no results yet; `framebench run` makes some")
        return
    place = None
    for result in data.results:
        if place != (result.host_id, result.case.path):
            place = (result.host_id, result.case.path)
            console.print(f"\n{result.case.path} on {result.host_id}", markup=False)
        speed = (
            f"{result.throughput.value:>11,.0f} {rate_unit(result.unit):<9}"
            if result.throughput
            else f"{result.status:>21}"
        )
        where = "" if result.container else f", {result.executor}"
        rank = "" if result.ranked else f", unranked: {unranked_word(result.unranked_because)}"
        line = f"  {result.id}  {result.label:<40} {speed}  {len(result.timed)} rounds{where}{rank}"
        console.print(line, markup=False)


def _one(data: Dataset, result: Result, console: Console) -> None:
    where = result.image.config_digest or "measured outside a container"
    lines = [
        ("result", result.id),
        ("case", result.case.path),
        ("contender", result.contender.slug),
        ("host", result.host_id),
        ("executor", result.executor),
        ("image", f"{result.image.name or 'none'}  {where}"),
        *(("own build", str(build)) for build in result.image.own_builds),
        ("status", result.status + (f": {result.reason}" if result.reason else "")),
    ]
    if result.throughput and result.time_ns:
        milliseconds = result.time_ns._replace(
            value=result.time_ns.value / 1e6,
            low=None if result.time_ns.low is None else result.time_ns.low / 1e6,
            high=None if result.time_ns.high is None else result.time_ns.high / 1e6,
        )
        lines += [
            (
                "throughput",
                f"{interval(result.throughput, ',.0f')} {rate_unit(result.unit)}, {result.throughput.n} rounds",
            ),
            ("step", f"{interval(milliseconds, '.3f')} ms"),
        ]
    if not result.ranked:
        lines.append(("unranked", unranked_word(result.unranked_because)))
    if result.flags:
        lines.append(
            ("flags", ", ".join(f"{word(flag)} ({count} trials)" for flag, count in result.flags.items()))
        )
    for reproduction in data.reproductions.get(result.id, []):
        lines.append(("reproduced", f"{reproduction.reproduced_utc}: {reproduction.verdict}"))
    lines.append(("check it", f"make reproduce RESULT={result.id}"))
    for name, text in lines:
        console.print(f"{name:<10} {text}", markup=False)
