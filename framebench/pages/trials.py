"""The trials of one result on its page: raw figures of each trial side by side, no statistic."""

from __future__ import annotations

from collections.abc import Sequence

from framebench.dataset import cpu_step_ns, step_ns, wait_share
from framebench.language import N_, _
from framebench.pages import figures, flags
from framebench.pages.views import Cell, Table
from framebench.pages.words import phase_name, status_name
from harness.flags import steadiness
from harness.record import Record

NUM = "fb-num"
MAX_SHOWN = 12
OTHER_KINDS = {
    "cold-start": N_("cold start"),
    "memory": N_("memory"),
    "parity": N_("gate"),
    "ceiling": N_("ceiling"),
}
CANARIES = {
    "precision": N_("precision as declared"),
    "sync": N_("synchronisation waits for the work"),
    "threads": N_("threads as allowed"),
}


def names(records: Sequence[Record]) -> dict[str, str]:
    """Short names of trials: ``round 3``, or the kind for the others."""
    names = {}
    for record in records:
        name = (
            _("round {n}").format(n=record.round) if record.kind == "timing" else _(OTHER_KINDS[record.kind])
        )
        names[record.trial_id] = name
    return names


def trial_table(records: Sequence[Record], record_links: dict[str, str]) -> Table:
    """Every trial, also the failed ones: when, what came out, and its raw record."""
    rows = []
    for record in records:
        timing = record.timing
        blocks = timing.blocks if timing else []
        steps = sum(block.steps for block in blocks)
        rows.append(
            [
                Cell(names([record])[record.trial_id]),
                Cell("…" + record.trial_id[-8:], href=record_links.get(record.trial_id), code=True),
                Cell(status_name(record.outcome.status), "" if record.outcome.status == "ok" else "fb-no"),
                Cell(figures.duration(step_ns(record)), NUM),
                Cell(f"{steps} / {len(blocks)}" if blocks else figures.NONE, NUM),
                Cell(_course(record)),
                Cell(figures.percent(wait_share(record)), NUM),
                Cell(figures.duration(cpu_step_ns(record)), NUM),
                Cell(record.started_utc.replace("T", " ")[:16], "fb-num"),
            ]
        )
    head = [
        _("Trial"),
        _("Raw record"),
        _("Outcome"),
        _("Time per step"),
        _("Steps / blocks"),
        _("Course"),
        _("Waited for a core"),
        _("CPU time per step"),
        _("Started (UTC)"),
    ]
    return Table(head, rows)


def _course(record: Record) -> str:
    """How the times went, in the words of the result's flags."""
    if record.timing is None:
        return figures.NONE
    found = steadiness(record.timing.warmup, record.timing.steady_class)
    return ", ".join(map(flags.word, found)) or _("steady")


def phases_table(records: Sequence[Record]) -> Table | None:
    """Wall time of each phase, one column per trial."""
    staged = [record for record in records if record.phases][-MAX_SHOWN:]
    if not staged:
        return None
    order = list(dict.fromkeys(phase.name for record in staged for phase in record.phases))
    short = names(staged)
    rows = []
    for name in order:
        walls = [next((p.wall_ns for p in record.phases if p.name == name), None) for record in staged]
        rows.append([Cell(phase_name(name)), *(Cell(figures.duration(wall), NUM) for wall in walls)])
    rows.append([Cell(_("compile cache")), *(Cell(_(record.cache_state), NUM) for record in staged)])
    rows.append(
        [Cell(_("whole trial")), *(Cell(figures.duration(record.duration_ns), NUM) for record in staged)]
    )
    return Table([_("Phase"), *(short[record.trial_id] for record in staged)], rows)


def warmup_table(records: Sequence[Record]) -> Table | None:
    """How each timing trial's warm-up ended."""
    timed = [record for record in records if record.timing][-MAX_SHOWN:]
    if not timed:
        return None
    short = names(timed)
    rows = []
    for record in timed:
        assert record.timing is not None
        warmup = record.timing.warmup
        share = record.timing.call_overhead_share
        rows.append(
            [
                Cell(short[record.trial_id]),
                Cell(str(warmup.blocks), NUM),
                Cell(figures.duration(warmup.wall_ns), NUM),
                Cell(str(warmup.steps_per_block), NUM),
                Cell(figures.NONE if warmup.compile_events is None else str(warmup.compile_events), NUM),
                Cell(figures.duration(record.timing.barrier_ns), NUM),
                Cell(figures.percent(share), NUM),
                Cell(warmup.reason, "fb-reason" if warmup.steady else "fb-reason fb-no", quoted=True),
            ]
        )
    head = [
        _("Trial"),
        _("Warm-up blocks"),
        _("Warm-up time"),
        _("Steps per block"),
        _("Compilations"),
        _("Synchronisation"),
        _("Call overhead"),
        _("Why it ended"),
    ]
    return Table(head, rows)


def latency_table(records: Sequence[Record]) -> Table | None:
    """Latencies with a synchronisation after every step, one row per trial."""
    rows = []
    for record in records:
        if record.timing is None or record.timing.latency is None:
            continue
        latency = record.timing.latency
        cells = [latency.p50_ns, latency.p90_ns, latency.p95_ns, latency.p99_ns]
        rows.append(
            [
                Cell(names([record])[record.trial_id]),
                Cell(str(latency.steps), NUM),
                *(Cell(figures.duration(value), NUM) for value in cells),
            ]
        )
    if not rows:
        return None
    caption = _("With a synchronisation after every step. p99 is stated from 500 steps on.")
    return Table([_("Trial"), _("Steps"), "p50", "p90", "p95", "p99"], rows[-MAX_SHOWN:], caption)


def memory_table(records: Sequence[Record]) -> Table | None:
    """Peaks from the memory trials; what could not be read keeps its reason."""
    rows = []
    labels = {
        "host_rss_peak": _("resident memory of the process, peak"),
        "host_rss_after_import": _("of which after importing the framework"),
        "allocator_peak": _("framework's allocator, peak"),
        "device_delta": _("device memory, increase"),
    }
    for record in records:
        if record.memory is None:
            continue
        for field, label in labels.items():
            value: int | None = getattr(record.memory, field)
            reason = record.memory.reasons.get(field, "")
            rows.append([Cell(label), Cell(figures.size(value), NUM), Cell(reason, "fb-reason", quoted=True)])
    return Table([_("Memory"), _("Size"), _("Note")], rows) if rows else None


def calibration_table(records: Sequence[Record]) -> Table | None:
    """The fixed kernel before and after each trial, one row per trial."""
    rows = []
    for record in records:
        measured = record.calibration
        if measured is None:
            continue
        times = [
            measured.matmul_before_ns,
            measured.matmul_after_ns,
            measured.copy_before_ns,
            measured.copy_after_ns,
        ]
        rows.append(
            [
                Cell(names([record])[record.trial_id]),
                *(Cell(figures.duration(time), NUM) for time in times),
                Cell(f"{100 * measured.drift:+.1f} %".replace("-", "−"), NUM),
            ]
        )
    if not rows:
        return None
    head = [
        _("Trial"),
        _("Products before"),
        _("after"),
        _("Copy before"),
        _("after"),
        _("Larger change"),
    ]
    caption = _("One repetition of a fixed kernel, on one core, before the framework and after the blocks.")
    return Table(head, rows[-MAX_SHOWN:], caption)


def canary_table(records: Sequence[Record]) -> Table | None:
    """The checks before the clock, those of all trials; equal ones once, with how many trials saw them."""
    seen: dict[tuple[str, str, str, bool | None], int] = {}
    for record in records:
        for canary in record.canaries:
            key = (canary.name, canary.expected, canary.observed, canary.passed)
            seen[key] = seen.get(key, 0) + 1
    rows = []
    for (name, expected, observed, passed), count in seen.items():
        word = _("not decided") if passed is None else _("pass") if passed else _("fail")
        css = "" if passed is None else "fb-yes" if passed else "fb-no"
        rows.append(
            [
                Cell(_(CANARIES.get(name, name))),
                Cell(expected, "fb-reason", quoted=True),
                Cell(observed, "fb-reason", quoted=True),
                Cell(word, css),
                Cell(str(count), NUM),
            ]
        )
    if not rows:
        return None
    return Table([_("Check"), _("Expected"), _("Observed"), _("Outcome"), _("Trials")], rows)
