"""What one trial's record says: the time of a step, how long it waited for a core, its flags, its phases."""

from __future__ import annotations

from statistics import median

from harness import flags as flag_words
from harness.flags import NOISE_UNKNOWN
from harness.record import Record


def cpu_step_ns(record: Record) -> float | None:
    """Median over blocks of the CPU time of one step, in ns."""
    if record.timing is None or not record.timing.blocks:
        return None
    return median([block.cpu_ns / block.steps for block in record.timing.blocks])


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


def phase_ns(record: Record, name: str) -> int | None:
    """Wall time of one named phase, e.g. ``first_step``; null when the trial did not get there."""
    return next((phase.wall_ns for phase in record.phases if phase.name == name), None)
