"""What one trial's record says: the time of a step, how long it waited for a core, its flags, its phases.

All that anybody asks of every record, and that lies in the parts of it which ``kept`` leaves in their file, is a
``figure`` here: it is worked out once, when the record is decoded.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any, NamedTuple

from framebench.records.kept import FIGURES, figure
from harness import flags as flag_words
from harness.flags import NOISE_UNKNOWN
from harness.record import Block, Record

PHASES = ("import", "configure", "build", "load_weights", "first_step", "second_step", "warm_up")
"""Those that every trial up to its blocks has."""


@figure
def step_ns(record: Record) -> float | None:
    """Median over blocks of the wall time of one step, in ns; null unless the trial was timed well.

    The one figure that every result rests on.
    """
    if record.timing is None or not record.timing.blocks:
        return None
    return _step_ns(record.timing.blocks)


@figure
def cpu_step_ns(record: Record) -> float | None:
    """Median over blocks of the CPU time of one step, in ns."""
    if record.timing is None or not record.timing.blocks:
        return None
    return median([block.cpu_ns / block.steps for block in record.timing.blocks])


@figure
def block_count(record: Record) -> int | None:
    """How many blocks were timed; null for a trial without a clock."""
    return len(record.timing.blocks) if record.timing else None


@figure
def step_count(record: Record) -> int | None:
    """How many steps all its blocks have together."""
    return sum(block.steps for block in record.timing.blocks) if record.timing else None


@figure
def observed_times(record: Record) -> float | None:
    """The time of a step with the sampler over that without it; null for a trial that did not measure it."""
    effect = record.timing.observer if record.timing else None
    return _step_ns(effect.on) / _step_ns(effect.off) if effect else None


@figure
def wait_share(record: Record) -> float | None:
    """Of the time in which threads wanted a core in the timed window, the part spent waiting for one.

    ``w / (w + c)``, whoever they waited for; null where the run queues could not be read.
    """
    metrics = record.telemetry.metrics if record.telemetry else {}
    waited, on_cpu = (
        metrics[name].delta if name in metrics else None for name in ("run_queue_wait", "on_cpu")
    )
    if waited is None or on_cpu is None or waited + on_cpu == 0:
        return None
    return waited / (waited + on_cpu)


@figure
def flags_of(record: Record) -> list[str]:
    """The record's flags, with the host's noise judged by today's rule from what the trial measured.

    A record of a trial without those counters keeps the noise flags that it was written with. Whether it was
    measured with somebody's own build is what its image says, and whether its GPU is one, what its hardware says.
    """
    own = [flag_words.OWN_BUILD] if record.image.own_builds else []
    own += flag_words.stand_in(record.hardware) if record.hardware else []
    cores = record.hardware.cores_online if record.hardware else None
    judged = flag_words.noise(record.telemetry, cores or record.case.cores) if record.timing else []
    if judged == [NOISE_UNKNOWN]:
        return list(dict.fromkeys([*own, *record.flags]))
    return list(
        dict.fromkeys([*own, *judged, *(flag for flag in record.flags if flag not in flag_words.NOISE)])
    )


@figure
def phase_walls(record: Record) -> list[int | None]:
    """Wall time of each of ``PHASES`` in ns; null where the trial did not get there."""
    walls = {phase.name: phase.wall_ns for phase in reversed(record.phases)}
    return [walls.get(name) for name in PHASES]


def phase_ns(record: Record, name: str) -> int | None:
    """Wall time of one of ``PHASES``, e.g. ``first_step``; null when the trial did not get there."""
    return phase_walls(record)[PHASES.index(name)]


@figure
def first_result_ns(record: Record) -> int | None:
    """All phases up to the end of the first step; null for a trial that failed or has no first step."""
    names = [phase.name for phase in record.phases]
    if record.outcome.status != "ok" or "first_step" not in names:
        return None
    return sum(phase.wall_ns for phase in record.phases[: names.index("first_step") + 1])


class Used(NamedTuple):
    """Energy of all GPUs of a timed trial over its window, J; ``above_rest`` is null without a power at rest.

    ``sensor``: ``counter``, the driver's own; ``instant power``, integrated; the worse where GPUs differ.
    """

    total: float
    above_rest: float | None
    per_unit: float | None
    sensor: str


def energy_used(record: Record) -> Used | None:
    """Null without a GPU, or where one of them does not know it."""
    parts = energy_parts(record)
    return Used(*parts) if parts else None


@figure
def energy_parts(record: Record) -> list[Any]:
    """The values of ``Used``; none where there is none."""
    of_each = [gpu.energy for gpu in record.telemetry.gpus] if record.telemetry else []
    totals = [energy.total_j for energy in of_each if energy.total_j is not None]
    if not of_each or len(totals) < len(of_each):
        return []
    above = [energy.above_idle_j for energy in of_each if energy.above_idle_j is not None]
    per_unit = [energy.j_per_sample for energy in of_each if energy.j_per_sample is not None]
    return [
        sum(totals),
        sum(above) if len(above) == len(of_each) else None,
        sum(per_unit) if len(per_unit) == len(of_each) else None,
        "counter" if all(energy.source == "counter" for energy in of_each) else "instant power",
    ]


@figure
def clock_mhz(record: Record) -> float | None:
    """Mean SM clock over the timed window, weighted by time, of the GPU that was lowest; null where one is unknown."""
    watched = record.telemetry.gpus if record.telemetry else []
    clocks = [gpu.metrics["sm_clock"].mean if "sm_clock" in gpu.metrics else None for gpu in watched]
    known = [clock for clock in clocks if clock]
    return min(known) if known and len(known) == len(clocks) else None


@figure
def watched_gpus(record: Record) -> list[str]:
    """Hashes of the UUIDs of the GPUs that the sampler watched."""
    return [gpu.uuid_sha256 for gpu in record.telemetry.gpus] if record.telemetry else []


@figure
def shape_checked(record: Record) -> bool | None:
    """Whether the timed shape was compared with float64 before and after the blocks; null where nobody could."""
    looks = [look for look in (record.shape_before, record.shape_after) if look is not None]
    if len(looks) < 2 or any(look.checks == 0 for look in looks):
        return None
    return not any(look.failed for look in looks)


def figures_of(record: Record) -> list[Any]:
    """The values of all figures, in the order of ``FIGURES``."""
    return [of(record) for of in FIGURES.values()]


def _step_ns(blocks: Sequence[Block]) -> float:
    return median(block.wall_ns / block.steps for block in blocks)
