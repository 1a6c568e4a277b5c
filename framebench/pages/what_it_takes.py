"""What a workload takes besides the time of a step: to the first result, in memory, on disk, in lines to write."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from framebench.dataset import Result
from framebench.dataset.batch_ladders import BatchLadder, batch_ladders
from framebench.dataset.first_result import first_result
from framebench.dataset.largest_batch import tried_batches
from framebench.dataset.memory_by_batch import footprints
from framebench.dataset.spread import Spread
from framebench.dataset.written_lines import written_lines
from framebench.images.audit.two_builds import load_rebuilds
from framebench.language import N_, _
from framebench.pages import figures
from framebench.pages.compare import heading
from framebench.pages.evidence import Evidence
from framebench.pages.image_sizes import SIZES, size_cells
from framebench.pages.views import Cell, Table
from framebench.pages.words import cores_or_device, executor_name, families, result_name, status_name

NUM = "fb-num"
MEASURES = {"host": N_("process"), "allocator": N_("allocator"), "device": N_("device")}  # of a footprint


class WhatItTakes(NamedTuple):
    """``first`` and ``memory`` have a table for each ladder of batches that fills one, under words for its cases."""

    first: list[tuple[str, Table]]
    memory: list[tuple[str, Table]]
    batches: Table
    sizes: Table
    lines: Table


def what_it_takes(workload: str, evidence: Evidence, up: str) -> WhatItTakes:
    """Of one workload; ``up`` leads from its page to the site's root."""
    results = [one for one in evidence.dataset.results if one.case.workload == workload]
    ladders = batch_ladders(results)
    return WhatItTakes(
        first=[(_words(one), table) for one in ladders if (table := _first_results(one, up)).rows],
        memory=[(_words(one), table) for one in ladders if (table := _memory(one)).rows],
        batches=_batches(ladders),
        sizes=_sizes([one for one in results if not one.superseded], evidence, up),
        lines=_lines(workload, evidence),
    )


def _first_results(ladder: BatchLadder, up: str) -> Table:
    """Time to the first result of each contender and batch, the shortest first within a batch."""
    measured = []
    for by_batch in ladder.members.values():
        for batch, results in by_batch.items():
            if times := first_result(results):
                spread = times.warm or times.cold
                measured.append((batch, spread.median_ns if spread else 0.0, results[0], times))
    rows = [
        [
            Cell(result_name(result), href=f"{up}results/{result.id}/", stack=result.contender.stack),
            Cell(str(batch), NUM),
            *_spread_cells(times.warm),
            *_spread_cells(times.cold),
        ]
        for batch, _time, result, times in sorted(measured, key=lambda one: one[:2])
    ]
    head = [_("Contender"), _("Batch")]
    head += [_("Warm, median"), _("Shortest – longest"), _("Trials")]
    head += [_("Cold, median"), _("Shortest – longest"), _("Trials")]
    return Table(head, rows)


def _spread_cells(spread: Spread | None) -> list[Cell]:
    if spread is None:
        return [Cell(figures.NONE, NUM)] * 3
    ends = f"{figures.duration(spread.shortest_ns)}\u2009–\u2009{figures.duration(spread.longest_ns)}"
    return [
        Cell(figures.duration(spread.median_ns), NUM),
        Cell(ends if spread.trials > 1 else figures.NONE, NUM),
        Cell(str(spread.trials), NUM),
    ]


def _memory(ladder: BatchLadder) -> Table:
    """A row for each contender and kind of memory that could be read, a column for each batch."""
    batches = sorted({batch for by_batch in ladder.members.values() for batch in by_batch})
    rows = []
    for by_batch in ladder.members.values():
        measured, too_large = footprints(by_batch), tried_batches(by_batch).too_large
        name = _contender(next(iter(by_batch.values()))[0])
        for measure, word in MEASURES.items():
            every = {batch: one._asdict()[measure] for batch, one in measured.items()}
            sizes = {batch: size for batch, size in every.items() if size is not None}
            texts = {batch: status_name("oom") for batch in too_large}
            texts |= {batch: figures.size(size) for batch, size in sizes.items()}
            if sizes:
                cells = [Cell(texts.get(batch, figures.NONE), NUM) for batch in batches]
                rows.append([name, Cell(_(word)), *cells])
    head = [_("Contender"), _("Memory"), *(_("batch {n}").format(n=batch) for batch in batches)]
    return Table(head, rows)


def _batches(ladders: list[BatchLadder]) -> Table:
    """The ends of what was tried; contenders of which the same is known share a row."""
    rows = []
    for ladder in ladders:
        alike: dict[tuple[tuple[int, ...], tuple[int, ...]], list[str]] = defaultdict(list)
        for by_batch in ladder.members.values():
            tried = tried_batches(by_batch)
            if tried.fitted or tried.too_large:
                name = result_name(next(iter(by_batch.values()))[0])
                alike[tuple(tried.fitted), tuple(tried.too_large)].append(name)
        rows += [
            [
                Cell(_words(ladder), "fb-reason"),
                Cell(_("all") if len(names) == len(ladder.members) else "; ".join(names), "fb-reason"),
                Cell(", ".join(map(str, sorted({*fitted, *too_large})))),
                Cell(str(max(fitted)) if fitted else _("none of those tried"), NUM),
                Cell(str(min(too_large)) if too_large else _("all that were tried fit"), NUM),
            ]
            for (fitted, too_large), names in alike.items()
        ]
    head = [_("Case"), _("Contenders"), _("Tried"), _("Largest that fits"), _("Smallest that does not")]
    return Table(head, rows)


def _sizes(results: list[Result], evidence: Evidence, up: str) -> Table:
    """The images that contenders were measured in."""
    rebuilds = load_rebuilds(evidence.root)
    stacks = {result.image.name: result.contender.stack for result in results if result.image.name}
    rows = [
        [
            Cell(name, href=f"{up}images/{name}/", code=True, stack=stacks[name]),
            *size_cells(rebuild := rebuilds.get(name)),
            Cell(figures.size(rebuild.packages_bytes if rebuild else None), NUM),
        ]
        for name in sorted(stacks)
    ]
    return Table([_("Image"), *map(_, SIZES), _("of which packages")], rows)


def _lines(workload: str, evidence: Evidence) -> Table:
    """What each framework's users write, the fewest first."""
    counted = [
        (lines.together, title, lines)
        for code, title in families().items()
        if (lines := written_lines(evidence.root, workload, code))
    ]
    rows = [
        [
            Cell(title),
            Cell(str(lines.own), NUM),
            Cell(", ".join(f"{n} ({other})" for other, n in lines.reached.items()) or figures.NONE, NUM),
            Cell(str(together), NUM),
        ]
        for together, title, lines in sorted(counted, key=lambda one: one[:2])
    ]
    head = [_("Framework"), _("In its own file"), _("Of its files for other workloads"), _("Together")]
    return Table(head, rows)


def _contender(result: Result) -> Cell:
    return Cell(result_name(result), stack=result.contender.stack)


def _words(ladder: BatchLadder) -> str:
    """Which cases these are, and where they were measured."""
    case = ladder.case
    return " · ".join([heading(case), cores_or_device(case), ladder.host_id, executor_name(ladder.executor)])
