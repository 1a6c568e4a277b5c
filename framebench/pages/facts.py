"""Facts about where and in what a trial ran, as definition lists. Unknown is – and never a guess."""

from __future__ import annotations

from framebench.dataset import Utilization
from framebench.language import Sentence, _
from framebench.pages import figures
from framebench.pages.views import Fact
from framebench.pages.words import executor_name
from harness.record import Gpu, Hardware, Record


def yes_no(value: bool | None) -> str:
    """``yes``, ``no``, or – when unknown."""
    return figures.NONE if value is None else _("yes") if value else _("no")


def text(value: object) -> str:
    """A value as text: – for null, yes / no for truth values."""
    if isinstance(value, bool) or value is None:
        return yes_no(value)
    return str(value)


def hardware(machine: Hardware | None) -> list[Fact]:
    """The machine as the trial saw it."""
    if machine is None:
        return [Fact(_("Hardware"), _("not recorded: the trial ended before it could be read"))]
    rows = [
        Fact(_("Processor"), text(machine.cpu_model)),
        Fact(
            _("Cores allowed"),
            _("{found} of {count}").format(found=machine.cores_allowed, count=text(machine.cores_online)),
        ),
        Fact(_("Memory"), figures.size(machine.ram_bytes)),
        Fact(
            _("Architecture"),
            machine.architecture + ("" if not machine.emulated else _(", emulated")),
        ),
        Fact(_("Frequency governor"), text(machine.governor)),
        Fact(_("Turbo"), yes_no(machine.turbo)),
        Fact(_("SMT"), yes_no(machine.smt)),
        Fact(_("Virtualisation"), text(machine.virtualisation)),
        Fact(_("Kernel"), text(machine.kernel)),
        Fact(_("Control groups"), text(machine.cgroup)),
    ]
    for number, gpu in enumerate(machine.gpus):
        rows.append(Fact(_("GPU {n}").format(n=number), gpu_words(gpu)))
    return rows


def gpu_words(gpu: Gpu) -> str:
    """``NVIDIA H200, 141 GiB, at most 700 W and 1980 MHz``; what its driver does not tell is left out."""
    limits = [
        f"{gpu.power_limit_w:g} W" if gpu.power_limit_w is not None else "",
        f"{gpu.max_sm_clock_mhz} MHz" if gpu.max_sm_clock_mhz is not None else "",
    ]
    limit = f" {_('and')} ".join(part for part in limits if part)
    lowered = (
        gpu.power_limit_w is not None
        and gpu.default_power_limit_w is not None
        and gpu.power_limit_w < gpu.default_power_limit_w
    )
    parts = [
        gpu.name or _("name unknown"),
        figures.size(gpu.memory_bytes) if gpu.memory_bytes is not None else "",
        _("at most {limit}").format(limit=limit) if limit else "",
        _("made for {watts} W").format(watts=f"{gpu.default_power_limit_w:g}") if lowered else "",
        _("memory at most {clock} MHz").format(clock=gpu.max_memory_clock_mhz)
        if gpu.max_memory_clock_mhz
        else "",
        _("cut into instances (MIG)") if gpu.mig else "",
        {True: _("ECC on"), False: _("ECC off"), None: ""}[gpu.ecc],
        _("persistence mode off") if gpu.persistence is False else "",
        _("compute capability {version}").format(version=gpu.capability) if gpu.capability else "",
        _("PCI id {id}").format(id=gpu.pci_device_id) if gpu.pci_device_id else "",
        _("UUID's hash {hash}").format(hash=gpu.uuid_sha256[:12] + "…"),
    ]
    return ", ".join(part for part in parts if part)


def environment(record: Record) -> list[Fact]:
    """Software, hardware and image of one trial."""
    image = record.image
    rows = [
        Fact(_("Image"), image.name or _("none"), href=f"../../images/{image.name}/" if image.name else None),
        Fact(_("Config digest"), image.config_digest or figures.NONE, code=bool(image.config_digest)),
        Fact(_("Address in a registry"), image.repo_digest or figures.NONE, code=bool(image.repo_digest)),
        Fact(_("Lock file, SHA-256"), image.lock_sha256 or figures.NONE, code=bool(image.lock_sha256)),
        Fact(
            _("Lock of the base's packages, SHA-256"),
            image.base_sha256 or figures.NONE,
            code=bool(image.base_sha256),
        ),
        *(
            [Fact(_("Versions found installed, SHA-256"), image.packages_sha256, code=True)]
            if image.packages_sha256
            else []
        ),
        Fact(_("Ran"), executor_name(record.provenance.executor)),
        *(Fact(_("Own build"), f"{build}, SHA-256 {build.sha256}") for build in image.own_builds),
    ]
    software = record.software
    if software is not None:
        rows += [
            Fact(_("Framework"), text(software.framework)),
            Fact(_("Backend"), text(software.backend)),
            Fact("Python", software.python),
            Fact("NumPy", software.numpy),
            Fact("CUDA / cuDNN", f"{text(software.cuda)} / {text(software.cudnn)}"),
            Fact(_("Driver"), text(software.driver)),
            Fact(_("C++ compiler"), text(software.compiler)),
            Fact(
                _("Packages"),
                ", ".join(f"{one} {version}" for one, version in sorted(software.packages.items())),
            ),
        ]
    return rows + hardware(record.hardware)


def settings(record: Record) -> list[Fact]:
    """What was set explicitly and read back."""
    chosen = record.settings
    if chosen is None:
        return []
    rows = [
        Fact(_("Layout"), text(chosen.layout)),
        Fact(_("Device"), text(chosen.device)),
        Fact(_("GPUs that the framework could see"), text(chosen.gpus_visible)),
    ]
    for title, group in (
        (_("Threads"), chosen.threads),
        (_("Precision"), chosen.precision),
        (_("Compile"), chosen.compile),
    ):
        said = [f"{name} {text(value)}" for name, value in sorted(group.items())]
        rows.append(Fact(title, ", ".join(said) or figures.NONE))
    return rows


def utilization(used: Utilization) -> list[Fact]:
    """Model FLOP/s, and what share they are of the data sheet's peak and of the measured ceiling."""
    return [
        Fact(_("Model FLOP/s"), figures.flops_rate(used.flops_per_s)),
        _share(
            _("MFU, of the data sheet's peak"), used.mfu, used.peak, used.precision, used.mfu_reason
        )._replace(href="../../gpus/" if used.mfu is not None else None),
        _share(
            _("Of this device's measured ceiling"),
            used.ceiling_share,
            used.ceiling,
            used.precision,
            used.ceiling_reason,
        ),
    ]


def _share(
    name: str, part: float | None, whole: float | None, precision: str | None, reason: str | None
) -> Fact:
    """``41 % of 67 TFLOP/s, fp32``; – with the reason where there is none."""
    if isinstance(reason, Sentence):
        return Fact(name, f"{figures.NONE} ({reason.in_words})")
    if part is None:
        return Fact(name, figures.NONE, quoted=f"({reason})")
    text = _("{share} of {whole}, {precision}").format(
        share=figures.percent(part), whole=figures.flops_rate(whole), precision=precision
    )
    return Fact(name, text)


def work(flops: int | None, causal: int | None) -> str:
    """``3.50 GFLOP``, and what a causal mask leaves of it where there is one."""
    if causal is None or causal == flops:
        return figures.flops(flops)
    return _("{all}; {causal} without what the causal mask hides").format(
        all=figures.flops(flops), causal=figures.flops(causal)
    )


def provenance(record: Record, version: int) -> list[Fact]:
    """Which code measured, on which host, in which campaign."""
    origin = record.provenance
    return [
        Fact(_("Commit"), origin.git_commit or figures.NONE, code=bool(origin.git_commit)),
        Fact(_("Uncommitted changes"), yes_no(origin.dirty)),
        Fact(_("Work hash"), origin.work_hash or figures.NONE, code=bool(origin.work_hash)),
        Fact(_("Protocol hash"), origin.protocol_hash or figures.NONE, code=bool(origin.protocol_hash)),
        Fact(_("Harness tree, SHA-256"), origin.harness_tree_sha256, code=True),
        Fact(_("Workload configuration, SHA-256"), text(record.workload_config_sha256), code=True),
        Fact(_("Host"), origin.host_id, href=f"../../hosts/{origin.host_id}/"),
        *([Fact(_("Container engine"), record.engine)] if record.engine else []),
        Fact(_("Campaign"), record.campaign_id, code=True),
        *_cluster_job(record),
        Fact(_("Written as record version"), str(version)),
    ]


def _cluster_job(record: Record) -> list[Fact]:
    job = record.cluster_job
    if job is None:
        return []
    words = _("Slurm job {job} on node {node}, partition {partition}, requeued {restarts} times").format(
        job=job.job, node=job.node, partition=job.partition or figures.NONE, restarts=job.restarts
    )
    return [Fact(_("Cluster"), words)]


def protocol(record: Record) -> list[Fact]:
    """The parameters the trial was measured with."""
    p = record.protocol
    return [
        Fact(_("Suite"), p.name),
        Fact(
            _("Warm-up"),
            _(
                "blocks of {block} ms; {agreements} × medians of two windows of {window} within {tolerance}; "
                "at least {least} s, at most {blocks} blocks or {most} s"
            ).format(
                block=f"{p.warmup_block_ms:g}",
                agreements=p.warmup_agreements,
                window=p.warmup_window,
                tolerance=figures.percent(p.warmup_tolerance),
                least=f"{p.warmup_min_s:g}",
                blocks=p.warmup_max_blocks,
                most=f"{p.warmup_max_s:g}",
            ),
        ),
        Fact(
            _("Timed"),
            _(
                "{blocks} blocks of {low}–{high} ms or {seconds} s, whichever is longer, at most {most} s"
            ).format(
                blocks=p.measure_blocks,
                low=f"{p.block_ms:g}",
                high=f"{p.block_max_ms:g}",
                seconds=f"{p.measure_s:g}",
                most=f"{p.measure_max_s:g}",
            ),
        ),
        Fact(
            _("Calibration"),
            _("{ms} ms of a fixed kernel before and after").format(ms=f"{p.calibration_ms:g}")
            if p.calibration_ms > 0
            else _("none"),
        ),
        Fact(_("Telemetry"), _("{hz} samples per second").format(hz=f"{p.telemetry_hz:g}")),
    ]
