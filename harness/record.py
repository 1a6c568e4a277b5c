"""The two documents of framebench: the trial spec (host -> harness) and the record (harness -> host).

One schema, versioned, strictly decoded: unknown fields are refused. A value that could not be read
is ``None`` with a reason beside it, never 0 and never -1. Durations are integer nanoseconds, memory is
bytes, energy is joules, power is watts, unless a field's name says otherwise.
"""

from __future__ import annotations

import hashlib
from base64 import b32encode
from typing import Any, Literal

import msgspec

SPEC_VERSION = 2
RECORD_VERSION = 2
PROTOCOL_VERSION = 1  # raised when the measuring protocol itself changes; part of the work hash

TrialKind = Literal["parity", "timing", "memory", "cold-start", "ceiling"]
Task = Literal["train", "infer"]
Mode = Literal["eager", "compiled"]
Status = Literal[
    "ok",
    "not_comparable",
    "oom",
    "timeout",
    "crashed",
    "unsupported",
    "invalid",
    "interrupted",
]
SteadyClass = Literal["steady", "slowdown", "no-steady-state"]


class _Strict(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Base of every struct here: immutable, unknown fields refused (``kw_only`` is not inherited)."""


# --- what is asked for -------------------------------------------------------------------------


class Case(_Strict, frozen=True, kw_only=True):
    """What is compared. Everything in one case is the same work, and all of it is in the path."""

    workload: str
    preset: str
    task: Task
    batch: int
    precision: Literal["fp32"] = "fp32"
    device: Literal["cpu", "gpu"] = "cpu"
    device_count: int = 1
    cores: int

    @property
    def slug(self) -> str:
        """Folder name of the case below its workload, e.g. ``cpu-train-b16-fp32-cpu1-c2``."""
        return (
            f"{self.preset}-{self.task}-b{self.batch}-{self.precision}"
            f"-{self.device}{self.device_count}-c{self.cores}"
        )

    @property
    def path(self) -> str:
        """``<workload>/<slug>``: unique name of the case."""
        return f"{self.workload}/{self.slug}"


class Contender(_Strict, frozen=True, kw_only=True):
    """Who is compared: a stack in a mode, in a declared variant.

    ``variant`` is empty for a stack's plain form. TensorFlow: ``graph`` / ``xla``. Keras:
    ``loop`` (its own ``fit`` / ``predict``) or ``direct`` (its compiled function called directly), with
    ``graph-`` / ``xla-`` in front where TensorFlow is the backend. ``twin`` marks the second name under
    which an A/A campaign runs the same contender.
    """

    stack: str
    mode: Mode
    variant: str = ""
    twin: bool = False

    @property
    def slug(self) -> str:
        """E.g. ``torch-compiled``, ``tensorflow-compiled-xla``, ``keras-jax-eager-loop``."""
        parts = [self.stack, self.mode, self.variant, "twin" if self.twin else ""]
        return "-".join(part for part in parts if part)


class Protocol(_Strict, frozen=True, kw_only=True):
    """Parameters of the measuring protocol (DESIGN section 5). They belong to the suite.

    ``observer_blocks``: blocks with and as many without the sampler, to see what watching costs. ``idle_s``:
    how long a GPU is watched at rest before the warm-up and after the blocks. ``calibration_ms``: length of
    the fixed kernel that is timed before and after a trial. 0 leaves each of them out.
    """

    name: str
    warmup_block_ms: float = 25.0
    warmup_window: int = 20
    warmup_tolerance: float = 0.01
    warmup_agreements: int = 2
    warmup_min_s: float = 3.0
    warmup_max_blocks: int = 300
    warmup_max_s: float = 120.0
    block_ms: float = 100.0
    block_max_ms: float = 1000.0
    measure_blocks: int = 10
    measure_s: float = 3.0
    measure_max_s: float = 60.0
    latency_steps: int = 0
    telemetry_hz: float = 10.0
    learning_epochs: int = 0
    observer_blocks: int = 0
    idle_s: float = 0.0
    calibration_ms: float = 0.0


class ImageRef(_Strict, frozen=True, kw_only=True):
    """The image a trial runs in; every field but ``name`` is null outside a container.

    ``config_digest`` is the identity (digest of the canonical image's config), ``repo_digest`` the
    address. ``lock_sha256`` is the hash of the lock file; a virtual environment has it too.
    """

    name: str | None
    config_digest: str | None = None
    repo_digest: str | None = None
    lock_sha256: str | None = None
    compiler: str | None = None


class Provenance(_Strict, frozen=True, kw_only=True):
    """What the host knows about the harness it starts."""

    executor: Literal["docker", "venv", "system", "slurm"]
    host_id: str
    git_commit: str | None
    dirty: bool | None
    harness_tree_sha256: str
    work_hash: str


class TrialSpec(_Strict, frozen=True, kw_only=True):
    """Everything one process needs to run one trial; read from stdin."""

    spec_version: int = SPEC_VERSION
    kind: TrialKind
    trial_id: str
    campaign_id: str
    round: int
    seed: int
    case: Case
    contender: Contender
    protocol: Protocol
    image: ImageRef
    provenance: Provenance
    cache_dir: str | None = None
    cache_state: Literal["cold", "warm"] = "warm"
    timeout_s: float = 600.0


# --- what is answered --------------------------------------------------------------------------


class Outcome(_Strict, frozen=True, kw_only=True):
    """How the trial ended. A failure is a result and is shown."""

    status: Status
    reason: str | None = None
    mend: str | None = None
    exit_code: int | None = None
    signal: str | None = None
    stderr_tail: list[str] = []


class ParityDiff(_Strict, frozen=True, kw_only=True):
    """One comparison with the fp64 reference.

    ``metric`` is ``rel-l2`` or ``abs``; passes when ``value <= tolerance``.
    """

    what: str
    metric: Literal["rel-l2", "abs"]
    value: float | None
    tolerance: float
    passed: bool


class Parity(_Strict, frozen=True, kw_only=True):
    reference: str
    preset: str
    batch: int
    steps: int
    diffs: list[ParityDiff]
    passed: bool


class Phase(_Strict, frozen=True, kw_only=True, array_like=True):
    """One named phase: wall time and this process's CPU time; in JSON ``[name, wall_ns, cpu_ns]``."""

    name: str
    wall_ns: int
    cpu_ns: int


class WarmUp(_Strict, frozen=True, kw_only=True):
    blocks: int
    wall_ns: int
    steps_per_block: int
    compile_events: int | None
    steady: bool
    reason: str


class Block(_Strict, frozen=True, kw_only=True, array_like=True):
    """One timed block: ``steps`` steps between two barriers.

    In JSON ``[steps, wall_ns, cpu_ns, wait_ns]``: with names, 30 blocks would be a third of a record's 8 kB.
    """

    steps: int
    wall_ns: int
    cpu_ns: int
    wait_ns: int | None


class Latency(_Strict, frozen=True, kw_only=True):
    """Barrier after every step. p99 only with at least 500 steps."""

    steps: int
    p50_ns: int
    p90_ns: int
    p95_ns: int
    p99_ns: int | None


class ObserverEffect(_Strict, frozen=True, kw_only=True):
    """Blocks with the sampler at work and without it, side by side in one trial, ``first`` drawn by lot."""

    first: Literal["on", "off"]
    on: list[Block]
    off: list[Block]


class Timing(_Strict, frozen=True, kw_only=True):
    """Blocks of the timed window and what follows from their protocol.

    ``call_overhead_ns`` is the intercept of time against n over ``run(n)``;
    ``call_overhead_share`` is that intercept over the block's median duration.
    """

    warmup: WarmUp
    blocks: list[Block]
    steady_class: SteadyClass
    samples_per_step: int
    flops_per_step: int
    barrier_ns: int
    call_overhead_ns: int | None
    call_overhead_share: float | None
    latency: Latency | None = None
    observer: ObserverEffect | None = None


class LearningPoint(_Strict, frozen=True, kw_only=True, array_like=True):
    """One epoch; in JSON ``[epoch, train_wall_ns, test_accuracy]``."""

    epoch: int
    train_wall_ns: int
    test_accuracy: float


class Learning(_Strict, frozen=True, kw_only=True):
    """Accuracy after each epoch; training time only, evaluation is outside the clock."""

    target_accuracy: float
    curve: list[LearningPoint]
    epochs_to_target: int | None
    wall_ns_to_target: int | None
    final_accuracy: float


class Memory(_Strict, frozen=True, kw_only=True):
    """From a separate pass. Each figure is bytes, or null with its reason in ``reasons``."""

    allocator_peak: int | None
    device_delta: int | None
    host_rss_peak: int | None
    host_rss_after_import: int | None
    reasons: dict[str, str] = {}


class Metric(_Strict, frozen=True, kw_only=True, omit_defaults=True):
    """One telemetry metric over the timed window; null with a reason when unsupported.

    A gauge has ``mean``, ``minimum`` and ``maximum`` over ``samples`` readings, a counter its ``delta``, a
    high-water mark its ``maximum``.
    ``mean`` is weighted by time. ``dropped`` readings were impossible (a utilization of 255 %, a negative power)
    or failed, and are in no figure.
    What equals its default is left out of the JSON: a record has twenty and more metrics in 8 kB.
    """

    support: Literal["ok", "not supported", "no permission", "function not found", "failed"] = "ok"
    reason: str | None = None
    unit: str = ""
    samples: int = 0
    dropped: int = 0
    mean: float | None = None
    minimum: float | None = None
    maximum: float | None = None
    delta: float | None = None


class Energy(_Strict, frozen=True, kw_only=True, omit_defaults=True):
    """Energy of one GPU over the timed steps, J; null with a reason when it cannot be known.

    ``source``: difference of the driver's counter, or the integral of instantaneous power. The counter is
    read where it ticks, a little before and after the steps: ``counter_j`` over ``counter_ns``. What lies
    outside the steps, ``slack_ns``, is taken out at idle power: ``total_j = counter_j - idle_w * slack``.
    ``idle_*_w`` is the mean power at rest, with the framework's context, before and after.
    Sensors are off by about +-5 % from card to card: compare on one card only.
    """

    source: Literal["counter", "instant power"] | None = None
    reason: str | None = None
    total_j: float | None = None
    above_idle_j: float | None = None
    j_per_sample: float | None = None
    counter_j: float | None = None
    counter_ns: int | None = None
    slack_ns: int | None = None
    idle_before_w: float | None = None
    idle_after_w: float | None = None


class Refusal(_Strict, frozen=True, kw_only=True):
    """Metrics that could not be read, all for one reason: a GPU without GPM lacks thirteen at once."""

    support: Literal["not supported", "no permission", "function not found", "failed"]
    reason: str
    metrics: list[str]


class GpuTelemetry(_Strict, frozen=True, kw_only=True, omit_defaults=True):
    """One GPU over the timed window. ``uuid_sha256`` finds it in ``hardware.gpus``.

    A metric whose readings were all equal has a ``mean`` only. ``gpm``: what the hardware itself averaged over the
    window, % (links: MiB/s). ``limited_share``: of the samples, those in which clocks were limited, by cause;
    ``held_back_ns``: the driver's counters of the same. ``refused``: what is in none of these, and why.
    ``processes``: how many processes have a context on it, as the driver counts (its numbers are the host's,
    so a container cannot tell which is its own). ``rest_utilization``: its kernel-active %, the larger of before
    and after, while this trial rested. ``lost``: the driver's words when it went away.
    """

    uuid_sha256: str
    metrics: dict[str, Metric]
    energy: Energy
    gpm: dict[str, float] = {}
    limited_share: dict[str, float] = {}
    held_back_ns: dict[str, int] = {}
    refused: list[Refusal] = []
    processes: int | None = None
    rest_utilization: float | None = None
    lost: str | None = None


class Telemetry(_Strict, frozen=True, kw_only=True):
    """What the sampler saw in the timed window.

    ``dropped_ticks`` were thrown away whole because time ran backwards in them. ``gpus`` has one entry for
    each GPU of the trial; without one ``gpu_reason`` says why. ``sampler_cpu_ns`` is the CPU time that the
    sampler itself used in the window.
    """

    hz: float
    ticks: int
    missed_ticks: int
    window_ns: int
    metrics: dict[str, Metric]
    reason: str | None = None
    dropped_ticks: int = 0
    gpus: list[GpuTelemetry] = []
    gpu_reason: str | None = None
    sampler_cpu_ns: int | None = None


class Calibration(_Strict, frozen=True, kw_only=True):
    """A fixed kernel (matrix product, copy) timed before and after the trial: did the machine itself change?

    ns per repetition. ``drift`` is the larger of the two relative changes, signed: positive is slower.
    """

    matmul_before_ns: int
    matmul_after_ns: int
    copy_before_ns: int
    copy_after_ns: int
    drift: float


class Ceiling(_Strict, frozen=True, kw_only=True):
    """What this very device reaches: the best of large matrix products, by precision, and of large copies."""

    matmul_flops_per_s: dict[str, float]
    copy_bytes_per_s: float | None
    reasons: dict[str, str] = {}


class Canary(_Strict, frozen=True, kw_only=True):
    """A check before the clock: does the machine do what was declared?"""

    name: str
    passed: bool | None
    expected: str
    observed: str


class LoadedLibrary(_Strict, frozen=True, kw_only=True, array_like=True):
    """A shared library of CUDA in the trial's memory, and the package it is from; in JSON ``[file, package, version]``.

    One that no installed package owns has its whole path for ``file``, and null for the rest.
    """

    file: str
    package: str | None
    version: str | None


class Software(_Strict, frozen=True, kw_only=True):
    """Versions read at run time inside the trial; null where a part is absent.

    ``libraries``: what of CUDA was really loaded, the driver's own left out. Timed trials have them in the sidecar.
    """

    python: str
    numpy: str
    framework: str | None
    backend: str | None
    packages: dict[str, str]
    cuda: str | None
    cudnn: str | None
    driver: str | None
    compiler: str | None
    libraries: list[LoadedLibrary] = []


class Hardware(_Strict, frozen=True, kw_only=True):
    """The machine as the trial saw it; null = unknown."""

    cpu_model: str | None
    architecture: str
    emulated: bool | None
    cores_allowed: int
    cores_online: int | None
    ram_bytes: int | None
    governor: str | None
    turbo: bool | None
    smt: bool | None
    virtualisation: str | None
    kernel: str | None
    cgroup: str | None
    gpus: list[dict[str, Any]] = []


class Settings(_Strict, frozen=True, kw_only=True):
    """What was set explicitly and read back (DESIGN section 6.3)."""

    layout: str | None
    threads: dict[str, int | None]
    precision: dict[str, str | bool | None]
    compile: dict[str, str | bool | int | None]


class Sidecar(_Strict, frozen=True, kw_only=True):
    """Time series and long latency lists, gzip-compressed JSON beside the record.

    On the way from the harness ``inline`` holds the bytes (base64); the store writes them to
    ``<trial-id>.sidecar.json.gz`` and keeps only the hash.
    """

    sha256: str
    inline: str | None = None


class Record(_Strict, frozen=True, kw_only=True):
    """What one trial leaves. Written once, never edited."""

    record_version: int = RECORD_VERSION
    written_by: Literal["harness", "host"]
    kind: TrialKind
    trial_id: str
    campaign_id: str
    round: int
    seed: int
    started_utc: str
    duration_ns: int
    case: Case
    contender: Contender
    protocol: Protocol
    image: ImageRef
    provenance: Provenance
    outcome: Outcome
    cache_state: Literal["cold", "warm"]
    workload_config_sha256: str | None = None
    software: Software | None = None
    hardware: Hardware | None = None
    settings: Settings | None = None
    canaries: list[Canary] = []
    parity: Parity | None = None
    phases: list[Phase] = []
    first_output_check: ParityDiff | None = None
    timing: Timing | None = None
    learning: Learning | None = None
    memory: Memory | None = None
    telemetry: Telemetry | None = None
    calibration: Calibration | None = None
    ceiling: Ceiling | None = None
    flags: list[str] = []
    sidecar: Sidecar | None = None


def encode(record: Record) -> bytes:
    """JSON bytes of a record, keys in schema order (deterministic)."""
    return msgspec.json.encode(record)


def encode_spec(spec: TrialSpec, version: int = SPEC_VERSION) -> bytes:
    """JSON bytes of a spec as a harness of that spec version reads it (an image's label names it)."""
    if version == SPEC_VERSION:
        return msgspec.json.encode(spec)
    if version != 1:
        raise ValueError(f"spec version {version} is unknown; this framebench writes 1 to {SPEC_VERSION}")
    document = msgspec.to_builtins(spec)
    document["spec_version"] = 1
    for name in _PROTOCOL_SINCE_2:  # such a harness does none of it
        del document["protocol"][name]
    return msgspec.json.encode(document)


def decode_spec(data: bytes) -> TrialSpec:
    """Strict decoding; raises ``msgspec.ValidationError`` naming the field, or ``DecodeError``."""
    return msgspec.json.decode(data, type=TrialSpec)


def decode_record(data: bytes) -> Record:
    """Strict decoding of any record version ever published (one ``vN -> vN+1`` function each)."""
    version = msgspec.json.decode(data, type=_Version).record_version
    if version == RECORD_VERSION:
        return msgspec.json.decode(data, type=Record)
    if version != 1:
        raise msgspec.ValidationError(
            f"record_version is {version}, this framebench reads 1 to {RECORD_VERSION} - at `$.record_version`"
        )
    return msgspec.convert(_record_1_to_2(msgspec.json.decode(data)), type=Record)


_PROTOCOL_SINCE_2 = ("observer_blocks", "idle_s", "calibration_ms")


def _record_1_to_2(document: dict[str, Any]) -> dict[str, Any]:
    """Phases became arrays, and each GPU's metrics stand apart; in version 1 no GPU was ever read."""
    document["record_version"] = 2
    document["phases"] = [[one["name"], one["wall_ns"], one["cpu_ns"]] for one in document.get("phases", [])]
    telemetry = document.get("telemetry")
    if telemetry is not None:
        metrics = telemetry["metrics"]
        of_gpus = [metrics.pop(name) for name in list(metrics) if name.startswith("gpu_")]
        if of_gpus:
            telemetry["gpu_reason"] = of_gpus[0]["reason"]
    return document


class _Version(msgspec.Struct):
    record_version: int


def result_key(record: Record) -> tuple[str, ...]:
    """What makes trials one result: host, executor, case, contender, image, work hash, protocol."""
    return (
        record.provenance.host_id,
        record.provenance.executor,
        record.case.path,
        record.contender.slug,
        record.image.config_digest or record.image.lock_sha256 or "no image",
        record.provenance.work_hash,
        record.protocol.name,
    )


def result_id(record: Record) -> str:
    """Ten base32 characters of the hash of the result's key."""
    digest = hashlib.sha256("\n".join(result_key(record)).encode()).digest()
    return b32encode(digest).decode().lower()[:10]
