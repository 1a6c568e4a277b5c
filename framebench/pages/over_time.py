"""What a result's trials did over time: their blocks behind the warm-up, and what the sampler saw.

Each is a drawing, with its ends in words. Where scripts run, ``site/assets/result.js`` makes it a chart that can be
zoomed and read, from the records that the page names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from framebench.dataset import Result
from framebench.dataset.telemetry_series import Points, Sampled, course, sampled, thinned
from framebench.language import N_, _
from framebench.pages import figures
from framebench.pages.evidence import Evidence, record_file, sidecar_file
from framebench.pages.telemetry import metric_name
from framebench.pages.trials import MAX_SHOWN, names
from framebench.pages.views import Plot, plot, spread
from harness.record import Record


class Course(NamedTuple):
    """A drawing, and how the script draws the same: values × ``scale`` are in ``unit``.

    ``metrics``: what of a sidecar is drawn, as ``name`` of the process or ``0:name`` of the first GPU; empty for
    blocks. ``counter``: what they gained per nanosecond is drawn.
    """

    plot: Plot
    unit: str
    scale: float
    metrics: str = ""
    counter: bool = False


class OverTime(NamedTuple):
    """Drawings whose values are in the files of ``trials``, each with ``folder`` before and ``ending`` behind it.

    ``lead``: what is drawn, where the drawings do not say it themselves.
    """

    folder: str
    ending: str
    trials: list[str]
    courses: list[Course]
    lead: str = ""


class Kind(NamedTuple):
    """Metrics that share an axis: the unit that it is in, and by what their values get there."""

    title: str
    unit: str
    scale: float
    counter: bool
    metrics: tuple[str, ...]


OF_PROCESS = (
    Kind(N_("Cores at work"), N_("cores"), 1.0, True, ("cpu_time", "host_busy", "steal")),
    Kind(
        N_("Time with a task that waited"),
        "%",
        100.0,
        True,
        ("psi_cpu_some", "cgroup_psi_cpu_some", "cgroup_throttled"),
    ),
    Kind(N_("Resident memory"), "MiB", 2.0**-20, False, ("rss",)),
)
OF_GPU = (
    Kind(N_("GPU: power"), "W", 1.0, False, ("power_instant", "power_average")),
    Kind(N_("GPU: share of time at work"), "%", 1.0, False, ("utilization", "memory_utilization")),
    Kind(N_("GPU: clocks"), "MHz", 1.0, False, ("sm_clock", "memory_clock")),
    Kind(N_("GPU: temperature"), "°C", 1.0, False, ("temperature", "memory_temperature")),
)


def blocks(records: Sequence[Record], up: str) -> OverTime | None:
    """Time per step of every timed block, trial after trial, each behind its warm-up; ``up`` leads to the site's root.

    Of a warm-up that took longer than the blocks only its end has room: seconds are equally wide everywhere.
    """
    timed = [record for record in records if record.timing and record.timing.blocks][-MAX_SHOWN:]
    if not timed:
        return None
    short = names(timed)
    series, bands, spans = [], [], []
    now = 0.0
    for record in timed:
        assert record.timing is not None
        lasted = sum(block.wall_ns for block in record.timing.blocks)
        warm = now + min(record.timing.warmup.wall_ns, lasted)
        bands.append((now / 1e9, warm / 1e9))
        now, points = warm, []
        for block in record.timing.blocks:
            points.append(((now + block.wall_ns / 2) / 1e9, block.wall_ns / block.steps))
            now += block.wall_ns
        series.append((short[record.trial_id], points, None))
        spans.append(figures.span((y for _x, y in points), figures.duration))
    low, high = spread([y for _label, points, _stack in series for _x, y in points])
    scale, unit = figures.unit_of_time(high / 1e9)
    drawn = plot(
        _("Time per step of each timed block, trial after trial, each behind its warm-up"),
        series,
        y_low=low,
        y_high=high,
        x_labels=("0 s", _seconds(now / 1e9)),
        y_labels=(figures.duration(low), figures.duration(high)),
        dots=True,
        x_ends=(0.0, now / 1e9),
        spans=spans,
        bands=(bands, _("shaded: warm-up, of a long one its end")),
    )
    return _over_time(up, record_file, timed, [Course(drawn, unit, scale / 1e9)])


def watched(result: Result) -> Record | None:
    """The newest timed trial: whose telemetry is drawn."""
    return result.timed[-1] if result.timed else None


def telemetry(result: Result, evidence: Evidence, up: str) -> OverTime | None:
    """What the sampler saw in the timed window of one trial, a drawing for each unit; ``up`` leads to the site's
    root."""
    trial = watched(result)
    seen = sampled(evidence.series(trial)) if trial else None
    if trial is None or seen is None:
        return None
    drawn = [_course(kind, seen, kind.metrics) for kind in OF_PROCESS]
    for kind in OF_GPU:
        one_each = kind.metrics if len(seen.gpus) == 1 else kind.metrics[:1]
        drawn.append(
            _course(kind, seen, [f"{n}:{metric}" for n in range(len(seen.gpus)) for metric in one_each])
        )
    courses = [one for one in drawn if one is not None]
    if not courses:
        return None
    lead = _("Over the timed window of {trial}, the newest one:").format(trial=names([trial])[trial.trial_id])
    return _over_time(up, sidecar_file, [trial], courses)._replace(lead=lead)


def _over_time(
    up: str, file: Callable[[str], str], records: Sequence[Record], courses: list[Course]
) -> OverTime:
    folder, ending = file(" ").split(" ")
    return OverTime(up + folder, ending, [record.trial_id for record in records], courses)


def _course(kind: Kind, seen: Sampled, lines: Sequence[str]) -> Course | None:
    """The lines of one axis that ever changed; null where none did."""
    found = []
    for line in lines:
        points = _points(kind, seen, line)
        if len({y for _x, y in points}) > 1:
            found.append((line, points))
    if not found:
        return None
    unit = _(kind.unit)
    low, high = spread([y for _line, points in found for _x, y in points])
    until = seen.t_ns[-1] / 1e9
    drawn = plot(
        _(kind.title),
        [(_label(line, seen), thinned(points), None) for line, points in found],
        y_low=low,
        y_high=high,
        x_labels=("0 s", _seconds(until)),
        y_labels=(_amount(low, unit), _amount(high, unit)),
        y_name=_(kind.title),
        x_ends=(0.0, until),
        spans=[
            figures.span((y for _x, y in points), lambda value: _amount(value, unit))
            for _line, points in found
        ],
    )
    return Course(drawn, unit, kind.scale, " ".join(line for line, _points in found), kind.counter)


def _points(kind: Kind, seen: Sampled, line: str) -> Points:
    gpu, _colon, metric = line.rpartition(":")
    source = seen.gpus[int(gpu)] if gpu else seen
    read = course(seen.t_ns, source.metrics.get(metric, []), counter=kind.counter)
    return [(x, y * kind.scale) for x, y in read]


def _label(line: str, seen: Sampled) -> str:
    gpu, _colon, metric = line.rpartition(":")
    name = metric_name(metric)
    return f"{_('GPU {n}').format(n=gpu)}, {name}" if len(seen.gpus) > 1 and gpu else name


def _amount(value: float, unit: str) -> str:
    return f"{figures.significant(value)} {unit}"


def _seconds(seconds: float) -> str:
    return _amount(seconds, "s")
