"""What the sampler saw, on a result's page: the process and its machine, each GPU, energy, and what is missing."""

from __future__ import annotations

from collections.abc import Sequence

from framebench.language import N_, _
from framebench.pages import figures
from framebench.pages.trials import MAX_SHOWN, NUM, names
from framebench.pages.views import Cell, Fact, Table
from framebench.pages.words import one_of
from harness.record import Energy, GpuTelemetry, Metric, Record

WORDS = {
    "cpu_time": N_("CPU time of the trial"),
    "host_busy": N_("CPU time of the whole machine"),
    "steal": N_("CPU time that went to other virtual machines (steal)"),
    "on_cpu": N_("CPU time of the trial, as its threads count it"),
    "rss": N_("resident memory of the trial"),
    "rss_peak": N_("resident memory of the trial, peak"),
    "minor_faults": N_("page faults without the disk"),
    "major_faults": N_("page faults that read the disk"),
    "voluntary_switches": N_("context switches, voluntary"),
    "involuntary_switches": N_("context switches, forced"),
    "cgroup_throttled": N_("the container was held back by its CPU limit"),
    "package_energy": N_("energy of the processors"),
    "psi_cpu_some": N_("some task of the machine waited for a core (PSI)"),
    "cgroup_psi_cpu_some": N_("some task of the container waited for a core (PSI)"),
    "run_queue_wait": N_("the trial's threads waited for a core"),
    "utilization": N_("a kernel was running (not how full the GPU was)"),
    "memory_utilization": N_("its memory was being read or written"),
    "memory_used": N_("GPU memory in use"),
    "memory_reserved": N_("GPU memory that the driver keeps for itself"),
    "sm_clock": N_("clock of the SMs"),
    "memory_clock": N_("clock of the memory"),
    "temperature": N_("temperature of the GPU"),
    "memory_temperature": N_("temperature of its memory"),
    "energy": N_("energy by the driver's counter"),
    "processes": N_("processes on the GPU"),
    "power_instant": N_("power, instantaneous"),
    "power_average": N_("power, the driver's 1-s average"),
    "power_limited": N_("time at the power limit"),
    "thermally_limited": N_("time held back by heat"),
    "externally_limited": N_("time held back from outside"),
    "gpm_graphics": N_("any engine active (GPM)"),
    "gpm_sm": N_("SMs active (GPM)"),
    "gpm_sm_occupancy": N_("SM occupancy (GPM)"),
    "gpm_tensor": N_("tensor cores active (GPM)"),
    "gpm_hmma": N_("tensor cores, half precision (GPM)"),
    "gpm_dram": N_("memory bandwidth used (GPM)"),
    "gpm_fp64": N_("fp64 pipes active (GPM)"),
    "gpm_fp32": N_("fp32 pipes active (GPM)"),
    "gpm_fp16": N_("fp16 pipes active (GPM)"),
    "gpm_pcie_tx": N_("PCIe, sent (GPM)"),
    "gpm_pcie_rx": N_("PCIe, received (GPM)"),
    "gpm_nvlink_rx": N_("NVLink, received (GPM)"),
    "gpm_nvlink_tx": N_("NVLink, sent (GPM)"),
    "policy_power": N_("held back by the power limit"),
    "policy_thermal": N_("held back by heat"),
    "policy_sync_boost": N_("held back by synchronous boost"),
    "policy_low_utilization": N_("clocked down for want of work"),
    "event_sw_thermal": N_("held back by heat, by the driver"),
    "event_hw_thermal": N_("held back by heat, by the hardware"),
    "event_power_brake": N_("held back by a power brake"),
    "ecc_corrected": N_("memory errors, corrected"),
    "ecc_uncorrected": N_("memory errors, not corrected"),
    "xid_errors": N_("driver errors (XID)"),
}


def process_facts(records: Sequence[Record]) -> list[Fact]:
    """Each metric of the process and its machine that could be read over the timed window; of several trials from the
    least to the greatest."""
    sampled = [record.telemetry.metrics for record in records if record.telemetry]
    return [Fact(metric_name(name), _over(name, sampled)) for name in _readable(sampled)]


def gpu_table(records: Sequence[Record]) -> Table | None:
    """The same of each GPU, a column for each."""
    columns: dict[int, list[dict[str, Metric]]] = {}
    for record in records:
        for number, gpu in enumerate(record.telemetry.gpus if record.telemetry else []):
            columns.setdefault(number, []).append(_all(gpu))
    readable = _readable([metrics for trials in columns.values() for metrics in trials])
    rows = [
        [Cell(metric_name(name)), *(Cell(_over(name, trials), NUM) for trials in columns.values())]
        for name in readable
    ]
    head = [_("Metric"), *(_("GPU {n}").format(n=number) for number in columns)]
    caption = _(
        "That a kernel was running says little about how much of the GPU it used: GPM's shares do, on GPUs that have "
        "it (Hopper and newer)."
    )
    return Table(head, rows, caption) if rows else None


def energy_table(records: Sequence[Record]) -> Table | None:
    """Energy of each GPU over the timed window; what is null keeps its reason."""
    rows = []
    unit = one_of(next((record.timing.unit for record in records if record.timing), "samples"))
    for trial, gpu in _gpus(records):
        energy = gpu.energy
        rest = " / ".join(_amount(watts, "W") for watts in (energy.idle_before_w, energy.idle_after_w))
        rows.append(
            [
                Cell(trial),
                Cell(_amount(energy.total_j, "J"), NUM),
                Cell(_amount(energy.above_idle_j, "J"), NUM),
                Cell(_amount(energy.j_per_sample, "J"), NUM),
                Cell(rest, NUM),
                Cell(_source(energy)),
                Cell(energy.reason or "", "fb-reason"),
            ]
        )
    head = [
        _("Trial"),
        _("Energy"),
        _("Above rest"),
        _("Per {unit}").format(unit=unit),
        _("Power at rest, before / after"),
        _("By"),
        _("Note"),
    ]
    caption = _("Sensors differ by about ±5 % from card to card: compare energy on one card only.")
    return Table(head, rows, caption) if rows else None


def missing(records: Sequence[Record]) -> list[Fact]:
    """What this machine could not report, with the reason."""
    reasons: dict[str, str] = {}
    for record in records:
        if record.telemetry is None:
            continue
        if record.telemetry.reason:
            reasons[_("all of it")] = record.telemetry.reason
        reasons |= _refused(record.telemetry.metrics)
        if not record.telemetry.gpus and record.telemetry.gpu_reason:
            reasons[_("GPUs")] = record.telemetry.gpu_reason
        for gpu in record.telemetry.gpus:
            for refusal in gpu.refused:
                names_of = ", ".join(metric_name(name) for name in refusal.metrics)
                reasons[names_of] = f"{_(refusal.support)}: {refusal.reason}"
    return [Fact(name, reason) for name, reason in reasons.items()]


def _gpus(records: Sequence[Record]) -> list[tuple[str, GpuTelemetry]]:
    """``(heading, GPU)`` of the last trials that watched one; numbered where a trial has several."""
    columns = []
    for record in records:
        gpus = record.telemetry.gpus if record.telemetry else []
        name = names([record])[record.trial_id]
        for number, gpu in enumerate(gpus):
            several = _("{trial}, GPU {n}").format(trial=name, n=number)
            columns.append((several if len(gpus) > 1 else name, gpu))
    return columns[-MAX_SHOWN:]


def _all(gpu: GpuTelemetry) -> dict[str, Metric]:
    """Everything that could be read, in one form."""
    links = ("pcie", "nvlink")
    gpm = {
        f"gpm_{name}": Metric(unit="MiB/s" if name.startswith(links) else "%", mean=value)
        for name, value in gpu.gpm.items()
    }
    limited = {
        f"{name}_limited": Metric(unit="share", mean=value) for name, value in gpu.limited_share.items()
    }
    held_back = {name: Metric(unit="ns", delta=value) for name, value in gpu.held_back_ns.items()}
    return gpu.metrics | gpm | limited | held_back


def _readable(sampled: Sequence[dict[str, Metric]]) -> list[str]:
    """The metrics that some trial could read."""
    return list(
        dict.fromkeys(name for metrics in sampled for name, one in metrics.items() if one.support == "ok")
    )


def _over(name: str, sampled: Sequence[dict[str, Metric]]) -> str:
    """One metric over all trials, in its unit: means, differences, or peaks."""
    read = [metrics[name] for metrics in sampled if name in metrics and metrics[name].support == "ok"]
    values = [next((v for v in (one.mean, one.delta, one.maximum) if v is not None), None) for one in read]
    return figures.span(values, lambda value: _written(value, read[0].unit))


def _refused(metrics: dict[str, Metric]) -> dict[str, str]:
    refused = {}
    for name, metric in metrics.items():
        if metric.support != "ok":
            words = [_(metric.support), metric.reason or ""]
            refused[metric_name(name)] = ": ".join(word for word in words if word)
    return refused


def metric_name(metric: str) -> str:
    """A metric in words; one that nobody knows by its code."""
    return _(WORDS.get(metric, metric.replace("_", " ")))


def _amount(value: float | None, unit: str) -> str:
    return figures.NONE if value is None else f"{figures.significant(value)} {unit}"


def _source(energy: Energy) -> str:
    known = {"counter": _("the driver's counter"), "instant power": _("instantaneous power")}
    return known.get(energy.source or "", figures.NONE)


def _written(value: float, unit: str) -> str:
    """A metric's value in its unit."""
    if unit in ("B", "bytes"):
        return figures.size(int(value))
    if unit == "ns":
        return figures.duration(value)
    if unit in ("share", "1"):
        return figures.percent(value)
    if not unit:  # a count
        return str(round(value))
    return f"{figures.significant(value)} {unit}"
