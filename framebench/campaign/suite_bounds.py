"""What a suite may ask for: every value within its bounds, or one sentence with file, key and bounds.

Decoding the file checks the form's own ranges (``Meta`` in ``suite_form`` and in the record's ``Protocol``). Here is
what one value demands of another, and what the workloads and stacks offer. Nothing is fetched or built.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterator, Sequence
from functools import cache

import msgspec

from framebench.campaign.suite_form import CaseRow, Suite, parse_contender, select
from framebench.errors import UserError, quoted, visible
from harness import frameworks, workloads
from harness.record import Protocol

SMALL_BYTES = 64 << 20
"""A workload's own data of a batch up to this size are made to see whether they can be."""
MOST_BLOCKS = 128
"""That a protocol may ask for: each is in the record, which has a limit (``records.writing``), and where steps become
faster after the warm-up there are twice as many."""


MOST_ROUNDS = 20
"""As many as ``--rounds`` takes: nobody looks at a case later than that (DESIGN section 5)."""
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")


def check(suite: Suite, where: str, most_rounds: int = MOST_ROUNDS) -> None:
    """``UserError`` for the first fault."""
    for key, sentence in _faults(suite, most_rounds):
        raise UserError(f"{where}: key {key}: {sentence}.")


def _faults(suite: Suite, most_rounds: int) -> Iterator[tuple[str, str]]:
    yield from _words(suite)
    if suite.rounds > most_rounds:
        yield "rounds", f"expected at most {most_rounds}, found {suite.rounds}"
    yield from _twice("kinds", suite.kinds)
    yield from _contenders(suite)
    yield from _protocol(suite.protocol)
    seen: dict[str, int] = {}
    for number, row in enumerate(suite.cases):
        yield from ((f"case[{number}].{key}", sentence) for key, sentence in _row(row, suite))
        for case in row.expand(1):
            if seen.setdefault(case.path, number) != number:
                yield f"case[{number}]", f"{case.path} is in case[{seen[case.path]}] already; keep one"
    if suite.headline:
        paths = [case.path for case in suite.expand(1)]
        yield from _globs("headline.cases", suite.headline.cases, paths, "case")
        for kind in suite.headline.kinds:
            if kind not in suite.kinds:
                yield "headline.kinds", f"{kind!r} is not among the suite's kinds; add it there"
        for slug in suite.headline.if_time_allows:
            if slug not in suite.headline.contenders:
                yield (
                    "headline.if_time_allows",
                    f"{slug!r} is not among the headline's contenders; add it there",
                )


def _words(suite: Suite) -> Iterator[tuple[str, str]]:
    """Names stand in paths and in one line of a table each."""
    for key, name in (("name", suite.name), ("protocol.name", suite.protocol.name)):
        if not _NAME.fullmatch(name):
            yield key, f"expected at most 100 letters, digits, '.', '_' and '-', found {quoted(name)}"
    title = suite.title
    if not title.strip() or len(title) > 300 or visible(title) != title or not title.isprintable():
        yield "title", f"expected one line of at most 300 characters that can be seen, found {quoted(title)}"


def _contenders(suite: Suite) -> Iterator[tuple[str, str]]:
    for key, slugs in (
        ("contenders", suite.contenders),
        ("baseline", [suite.baseline]),
        ("twin", [suite.twin] if suite.twin else []),
        ("headline.contenders", suite.headline.contenders if suite.headline else []),
    ):
        yield from _twice(key, slugs)
        for slug in slugs:
            try:
                parse_contender(slug)
            except ValueError as error:
                if not frameworks.broken():  # else the plan lists whose folder is broken
                    yield key, str(error)
            if slug not in suite.contenders:
                yield key, f"{slug!r} is not among the suite's contenders; add it there"


def _twice(key: str, values: Sequence[object]) -> Iterator[tuple[str, str]]:
    """What is listed more than once would be measured as often, and counted as one."""
    if again := [value for place, value in enumerate(values) if value in values[:place]]:
        yield key, f"{again[0]!r} is listed twice; keep one"


def _protocol(protocol: Protocol) -> Iterator[tuple[str, str]]:
    values = msgspec.structs.asdict(protocol)
    for least, most in (
        ("warmup_min_s", "warmup_max_s"),
        ("block_ms", "block_max_ms"),
        ("measure_s", "measure_max_s"),
    ):
        if values[least] > values[most]:
            yield (
                f"protocol.{most}",
                f"expected {least} ({values[least]:g}) or more, found {values[most]:g}",
            )
    window = protocol.warmup_window
    settled = 2 * window + (protocol.warmup_agreements - 1) * max(1, window // 2)
    if protocol.warmup_max_blocks < settled:
        yield (
            "protocol.warmup_max_blocks",
            f"{protocol.warmup_agreements} agreement(s) of windows of {window} blocks take {settled} blocks, found"
            f" {protocol.warmup_max_blocks}",
        )
    if max(protocol.measure_blocks, protocol.measure_s * 1000 / protocol.block_ms) > MOST_BLOCKS:
        yield (
            "protocol.measure_s",
            f"a record holds at most {MOST_BLOCKS} blocks, and {protocol.measure_s:g} s of blocks of"
            f" {protocol.block_ms:g} ms, at least {protocol.measure_blocks}, are more; ask for longer ones (block_ms)",
        )
    if 2 * protocol.observer_blocks > MOST_BLOCKS:
        yield (
            "protocol.observer_blocks",
            f"a record holds at most {MOST_BLOCKS // 2} with the sampler and as many without, found"
            f" {protocol.observer_blocks}",
        )
    if protocol.learning_epochs > MOST_BLOCKS:
        yield "protocol.learning_epochs", _too_many_epochs(protocol.learning_epochs)


def _too_many_epochs(found: int) -> str:
    return f"a record holds at most {MOST_BLOCKS} epochs' scores, found {found}"


def _row(row: CaseRow, suite: Suite) -> Iterator[tuple[str, str]]:
    offered = [*workloads.names(), workloads.SELF_TEST]
    if row.workload not in offered:
        near = difflib.get_close_matches(row.workload, offered, n=3, cutoff=0.0)
        yield "workload", f"unknown {row.workload!r}; the nearest: {', '.join(near)}"
        return
    for key, values in (
        ("tasks", row.tasks),
        ("batch", row.batches),
        ("precision", row.precisions),
        ("device", row.devices),
        ("count", row.counts),
    ):
        yield from _twice(key, values)
    globs = [glob.removeprefix("!") for glob in row.contenders]
    yield from _globs("contenders", globs, suite.contenders, "contender")
    for count in [one for one in row.counts if one > 1]:
        if other := [task for task in row.tasks if task != "train"]:
            yield "count", f"several devices share training alone, found {count} for the task {other[0]!r}"
        for batch in [batch for batch in row.batches if batch % count]:
            yield "batch", f"{count} devices share a batch in equal parts, found {batch}"
    if row.learning_epochs is not None and row.learning_epochs > MOST_BLOCKS:
        yield "learning_epochs", _too_many_epochs(row.learning_epochs)
    if "cpu" in row.devices and "tf32" in row.precisions:
        yield "precision", "tf32 exists on GPUs only; a case for the CPU is in fp32 or bf16"
    if row.workload in workloads.broken():
        return  # the plan lists it
    spec = workloads.get(row.workload)
    if row.preset not in spec.presets:
        yield "preset", f"{row.workload} has no preset {row.preset!r}; it has {', '.join(spec.presets)}"
        return
    for task in row.tasks:
        if task not in spec.tasks:
            yield "tasks", f"{row.workload} has no task {task!r}; it has {', '.join(spec.tasks)}"
    for precision in row.precisions:
        if precision not in spec.precisions:
            yield (
                "precision",
                f"{row.workload} does not declare {precision!r}; it declares {', '.join(spec.precisions)}",
            )
    for batch in row.batches:
        if sentence := _refused_batch(row.workload, row.preset, batch):
            yield "batch", sentence


def _globs(key: str, globs: list[str], names: list[str], what: str) -> Iterator[tuple[str, str]]:
    try:
        select(names, globs, what)
    except UserError as error:
        yield key, str(error)


@cache
def _refused_batch(workload: str, preset: str, batch: int) -> str | None:
    """Why the workload has no batches of this size, in its own words: its data set may be too small."""
    spec = workloads.get(workload)
    size = spec.presets[preset]
    numbers = sum(math.prod(one.resolved(size, batch)) for one in spec.inputs.values())
    try:
        if spec.learning:
            spec.learning.steps(size, batch)
        if spec.data and 8 * numbers * spec.batches_drawn <= SMALL_BYTES:
            spec.data(size, batch, 0)
    except ValueError as error:
        return str(error)
    return None
