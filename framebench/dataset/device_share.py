"""How much of the machine a result used: model FLOP/s over the data sheet's peak and over the measured ceiling.

MFU is the share of the peak that the model's own FLOPs reach, without recomputation (Chowdhery et al. 2022,
PaLM, appendix B). Both denominators are those of the precision that really ran.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from framebench.language import N_, Sentence
from harness import roofline
from harness.record import Gpu, Record


class Place(NamedTuple):
    """Where a ceiling holds: this host's GPUs (hashes of their UUIDs), or so many cores of its CPU."""

    host_id: str
    device: str
    gpus: tuple[str, ...]
    cores: int | None


@dataclass(frozen=True, slots=True)
class MeasuredCeiling:
    """The best of all ceiling trials in one place; the trials are those that reached it.

    ``matmul`` FLOP/s by precision, ``copy`` bytes/s; ``reasons`` for what is absent.
    """

    matmul: dict[str, float]
    copy: float | None
    reasons: dict[str, str]
    trials: int


@dataclass(frozen=True, slots=True)
class Utilization:
    """A timed result against its device. Each share is null with its reason beside it: a ``Sentence``, or the harness's
    own words.

    ``flops_per_s`` are the model's FLOPs per step over the time of one step. ``peak`` and ``ceiling`` are
    FLOP/s in ``precision``, of all devices of the case together.
    """

    flops_per_s: float
    precision: str | None
    peak: float | None
    mfu: float | None
    mfu_reason: str | None
    ceiling: float | None
    ceiling_share: float | None
    ceiling_reason: str | None


def ceilings(records: Iterable[Record]) -> dict[Place, MeasuredCeiling]:
    """The best that any good ceiling trial reached, by place. A machine is at least as fast as its best moment."""
    best: dict[Place, MeasuredCeiling] = {}
    for record in records:
        place, measured = place_of(record), record.ceiling
        if place is None or measured is None or record.outcome.status != "ok":
            continue
        before = best.get(place, MeasuredCeiling({}, None, {}, 0))
        names = before.matmul.keys() | measured.matmul_flops_per_s.keys()
        matmul = {
            name: max(before.matmul.get(name, 0.0), measured.matmul_flops_per_s.get(name, 0.0))
            for name in sorted(names)
        }
        copies = [copy for copy in (before.copy, measured.copy_bytes_per_s) if copy is not None]
        reasons = {
            name: reason for name, reason in (before.reasons | measured.reasons).items() if name not in matmul
        }
        best[place] = MeasuredCeiling(matmul, max(copies, default=None), reasons, before.trials + 1)
    return best


def place_of(record: Record) -> Place | None:
    """The place of a trial; null where it is not known which GPUs it ran on."""
    host_id, case = record.provenance.host_id, record.case
    if case.device == "cpu":
        return Place(host_id, "cpu", (), case.cores)
    gpus = gpus_of(record)
    if not gpus:
        return None
    return Place(host_id, "gpu", tuple(sorted(gpu.uuid_sha256 for gpu in gpus)), None)


def gpus_of(record: Record) -> list[Gpu]:
    """The GPUs that a trial ran on: those it watched, or all of the machine's if it has no more; else none."""
    here = record.hardware.gpus if record.hardware else []
    watched = {gpu.uuid_sha256 for gpu in record.telemetry.gpus} if record.telemetry else set()
    if watched:
        return [gpu for gpu in here if gpu.uuid_sha256 in watched]
    return here if len(here) == record.case.device_count else []


def utilization(record: Record, step_ns: float, measured: dict[Place, MeasuredCeiling]) -> Utilization | None:
    """What a timed trial's work at ``step_ns`` per step is of its device; null for a trial without timing, or
    without products."""
    if record.timing is None or not record.timing.flops_per_step:
        return None
    flops_per_s = record.timing.flops_per_step / (step_ns / 1e9)
    precision, unknown = (
        roofline.precision_ran(record.settings.precision, record.case.device)
        if record.settings
        else (None, Sentence(N_("the settings were not recorded")))
    )
    peak, no_peak = _peak(record, precision, unknown)
    ceiling, no_ceiling = _ceiling(record, precision, unknown, measured)
    return Utilization(
        flops_per_s=flops_per_s,
        precision=precision,
        peak=peak,
        mfu=flops_per_s / peak if peak else None,
        mfu_reason=no_peak,
        ceiling=ceiling,
        ceiling_share=flops_per_s / ceiling if ceiling else None,
        ceiling_reason=no_ceiling,
    )


def _peak(
    record: Record, precision: roofline.Precision | None, unknown: str | None
) -> tuple[float | None, str | None]:
    """The data sheets' peak of all GPUs of the trial."""
    if record.case.device == "cpu":
        return None, Sentence(N_("no data sheet states a peak for a CPU"))
    if precision is None:
        return None, unknown
    gpus = gpus_of(record)
    if not gpus:
        return None, Sentence(N_("which GPU ran is not recorded"))
    total = 0.0
    for gpu in gpus:
        if gpu.mig:
            return None, Sentence(
                N_("{gpu} is cut into instances, and no data sheet states their peak"), gpu=gpu.name
            )
        row = roofline.find(gpu)
        if row is None:
            return None, Sentence(
                N_("{gpu} (PCI id {id}) is not in the table of GPUs"),
                gpu=gpu.name,
                id=roofline.pci_id(gpu) or Sentence(N_("unknown")),
            )
        peak = row.peak(precision)
        if peak is None:
            return None, Sentence(
                N_("the table of GPUs has no {precision} peak for {gpu}"), precision=precision, gpu=row.name
            )
        total += peak
    return total, None


def _ceiling(
    record: Record, precision: str | None, unknown: str | None, measured: dict[Place, MeasuredCeiling]
) -> tuple[float | None, str | None]:
    """The measured ceiling of the trial's place."""
    if precision is None:
        return None, unknown
    place = place_of(record)
    here = measured.get(place) if place else None
    if here is None:
        return None, Sentence(N_("no ceiling has been measured on this device"))
    ceiling = here.matmul.get(precision)
    if ceiling is None:
        return None, Sentence(
            N_("no {precision} ceiling has been measured on this device"), precision=precision
        )
    return ceiling, None
