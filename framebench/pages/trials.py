"""The trials of one result on its page: each by itself, and from the least to the greatest; no statistic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from framebench.dataset import cpu_step_ns, step_ns, wait_share
from framebench.language import N_, _
from framebench.pages import figures, flags
from framebench.pages.views import Cell, Fact, Table
from framebench.pages.words import phase_name, status_name
from harness.flags import steadiness
from harness.record import Calibration, Record

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
    """Every trial, also the failed ones: when, and what came out; its name leads to its raw record."""
    rows = []
    for record in records:
        timing = record.timing
        blocks = timing.blocks if timing else []
        steps = sum(block.steps for block in blocks)
        rows.append(
            [
                Cell(names([record])[record.trial_id], href=record_links.get(record.trial_id)),
                Cell(status_name(record.outcome.status), "" if record.outcome.status == "ok" else "fb-no"),
                Cell(figures.duration(step_ns(record)), NUM),
                Cell(f"{steps} / {len(blocks)}" if blocks else figures.NONE, NUM),
                Cell(_course(record), "fb-reason"),
                Cell(figures.percent(wait_share(record)), NUM),
                Cell(figures.duration(cpu_step_ns(record)), NUM),
                Cell(_change(record.calibration), NUM),
                Cell(record.started_utc.replace("T", " ")[:16], NUM),
            ]
        )
    head = [
        _("Trial"),
        _("Outcome"),
        _("Time per step"),
        _("Steps / blocks"),
        _("Course"),
        _("Waited for a core"),
        _("CPU time per step"),
        _("Drift"),
        _("Started (UTC)"),
    ]
    return Table(head, rows)


def _change(measured: Calibration | None) -> str:
    return figures.NONE if measured is None else f"{100 * measured.drift:+.1f} %".replace("-", "−")


def _course(record: Record) -> str:
    """How the times went, in the words of the result's flags."""
    if record.timing is None:
        return figures.NONE
    found = steadiness(record.timing.warmup, record.timing.steady_class)
    return ", ".join(map(flags.word, found)) or _("steady")


def phases_table(records: Sequence[Record]) -> Table | None:
    """Wall time of each phase by kind of trial; of several rounds from the shortest to the longest."""
    staged = [record for record in records if record.phases]
    if not staged:
        return None
    kinds = _by_kind(staged)
    rows = []
    for name in dict.fromkeys(phase.name for record in staged for phase in record.phases):
        walls = [
            [p.wall_ns for one in trials for p in one.phases if p.name == name] for trials in kinds.values()
        ]
        rows.append(
            [Cell(phase_name(name)), *(Cell(figures.span(wall, figures.duration), NUM) for wall in walls)]
        )
    states = [dict.fromkeys(_(one.cache_state) for one in trials) for trials in kinds.values()]
    rows.append([Cell(_("compile cache")), *(Cell(", ".join(state), NUM) for state in states)])
    whole = [figures.span((one.duration_ns for one in trials), figures.duration) for trials in kinds.values()]
    rows.append([Cell(_("whole trial")), *(Cell(text, NUM) for text in whole)])
    return Table([_("Phase"), *kinds], rows)


def _by_kind(records: Sequence[Record]) -> dict[str, list[Record]]:
    """Trials by what a column is called: ``memory``, ``5 rounds``."""
    kinds: dict[str, list[Record]] = {}
    for record in records:
        kinds.setdefault(record.kind, []).append(record)
    return {
        _("{n} rounds").format(n=len(trials))
        if kind == "timing" and len(trials) > 1
        else names(trials)[trials[0].trial_id]: trials
        for kind, trials in kinds.items()
    }


def warmup_facts(records: Sequence[Record]) -> list[Fact]:
    """How the timed trials' warm-up went and ended, and what a timed call costs beside its steps."""
    timed = [record.timing for record in records if record.timing]
    if not timed:
        return []
    ended = Counter(timing.warmup.reason for timing in timed)
    events = [timing.warmup.compile_events for timing in timed]
    return [
        Fact(_("Warm-up time"), figures.span((one.warmup.wall_ns for one in timed), figures.duration)),
        Fact(_("Warm-up blocks"), figures.span((one.warmup.blocks for one in timed), _count)),
        Fact(_("Steps per block"), figures.span((one.warmup.steps_per_block for one in timed), _count)),
        Fact(_("Compilations"), figures.span(events, _count)),
        Fact(_("Synchronisation"), figures.span((one.barrier_ns for one in timed), figures.duration)),
        Fact(_("Call overhead"), figures.span((one.call_overhead_share for one in timed), figures.percent)),
        *(Fact(_("Why it ended"), f"{count} ×", quoted=reason) for reason, count in ended.most_common()),
    ]


def _count(number: float) -> str:
    return str(round(number))


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


def memory_facts(records: Sequence[Record]) -> list[Fact]:
    """Peaks from the memory trials; what could not be read keeps its reason."""
    labels = {
        "host_rss_peak": _("resident memory of the process, peak"),
        "host_rss_after_import": _("of which after importing the framework"),
        "allocator_peak": _("framework's allocator, peak"),
        "device_delta": _("device memory, increase"),
    }
    return [
        Fact(label, figures.size(getattr(memory, field)), quoted=memory.reasons.get(field, ""))
        for memory in (record.memory for record in records)
        if memory is not None
        for field, label in labels.items()
    ]


def calibration_facts(records: Sequence[Record]) -> list[Fact]:
    """The fixed kernel before and after the trials, from the shortest to the longest time of one repetition."""
    measured = [record.calibration for record in records if record.calibration]
    if not measured:
        return []
    fields = {
        _("Products before"): "matmul_before_ns",
        _("Products after"): "matmul_after_ns",
        _("Copy before"): "copy_before_ns",
        _("Copy after"): "copy_after_ns",
    }
    return [
        Fact(name, figures.span((getattr(one, field) for one in measured), figures.duration))
        for name, field in fields.items()
    ]


def canary_facts(records: Sequence[Record]) -> list[Fact]:
    """The checks before the clock, those of all trials: how they ended and in how many, and what the newest of these
    saw and had to see."""
    seen: dict[tuple[str, str, bool | None], list[str]] = {}
    for record in records:
        for canary in record.canaries:
            seen.setdefault((canary.name, canary.expected, canary.passed), []).append(canary.observed)
    words = {None: _("not decided"), True: _("pass"), False: _("fail")}
    return [
        Fact(
            _(CANARIES.get(name, name)),
            _("{word} in {n} trials:").format(word=words[passed], n=len(observed)),
            quoted=f"{observed[-1]} ({expected})",
        )
        for (name, expected, passed), observed in seen.items()
    ]
