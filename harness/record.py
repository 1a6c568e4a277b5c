"""The two documents of framebench: the trial spec (host -> harness) and the record (harness -> host).

One schema, versioned, strictly decoded: unknown fields are refused. A value that could not be read
is ``None`` with a reason beside it, never 0 and never -1. Durations are integer nanoseconds, memory is
bytes, energy is joules, power is watts, unless a field's name says otherwise.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

SPEC_VERSION = 3
RECORD_VERSION = 3

MeasuredKind = Literal["parity", "timing", "memory", "cold-start", "ceiling"]
# a profile is no measurement: its record is read once and never kept
TrialKind = Literal[MeasuredKind, "profile"]
UNTIMED: tuple[TrialKind, ...] = ("parity", "memory")  # no clock: they may run beside each other
Task = Literal["train", "infer", "backbone", "rpn", "roi", "prefill", "decode", "load", "call"]
PHASES: tuple[Task, ...] = ("backbone", "rpn", "roi")  # parts of inference, each by itself
Precision = Literal["fp32", "tf32", "bf16"]
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
SHARES = ("test accuracy", "mAP at IoU 0.5")  # measures of learning that are shares of one
SteadyClass = Literal["steady", "slowdown", "no-steady-state"]

# Ranges: a record that cannot be true does not decode.
LARGEST = 2**53  # whole numbers up to it are exact in every reader of JSON; in nanoseconds 104 days
Whole = Annotated[int, Meta(ge=-LARGEST, le=LARGEST)]
Count = Annotated[int, Meta(ge=0, le=LARGEST)]
Positive = Annotated[int, Meta(ge=1, le=LARGEST)]
Ns = Annotated[int, Meta(ge=0, le=LARGEST)]  # nanoseconds
Flops = Annotated[int, Meta(ge=0, le=2**63 - 1)]
WallNs = Annotated[int, Meta(ge=1, le=LARGEST)]  # of something that took time
Share = Annotated[float, Meta(ge=0.0, le=1.0)]
# Bounds of floats lie far outside what is real, and far inside what pages can draw and write.
Gap = Annotated[float, Meta(ge=0.0, le=1e100)]  # from a reference: a float32 that ran away squared is 1e77
Score = Annotated[float, Meta(ge=0.0, le=1e15)]  # of a measure in SHARES at most 1
Reading = Annotated[float, Meta(ge=-1e18, le=1e18)]  # of a sensor or a counter, in its own unit
Rate = Annotated[float, Meta(gt=0.0, le=1e24)]  # per second
Ratio = Annotated[float, Meta(ge=0.0, le=1e9)]
Drift = Annotated[float, Meta(ge=-1.0, le=1e9)]  # relative: nothing becomes faster than at once
Watts = Annotated[float, Meta(ge=0.0, le=1e6)]
SomeMs = Annotated[float, Meta(gt=0.0, le=3.6e6)]  # milliseconds, up to an hour
Seconds = Annotated[float, Meta(ge=0.0, le=86400.0)]  # up to a day
SomeSeconds = Annotated[float, Meta(gt=0.0, le=86400.0)]
Hz = Annotated[float, Meta(gt=0.0, le=1000.0)]
Name = Annotated[str, Meta(max_length=1000)]
Text = Annotated[str, Meta(max_length=20_000)]  # sentences and paths
Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Digest = Annotated[str, Meta(pattern="^sha256:[0-9a-f]{64}$")]
UtcTime = Annotated[str, Meta(pattern=r"^\d{4}-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-6]\d(\.\d+)?(Z|\+00:00)$")]


class _Strict(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Base of every struct here: immutable, unknown fields refused (``kw_only`` is not inherited)."""


# --- what is asked for -------------------------------------------------------------------------


class Case(_Strict, frozen=True, kw_only=True):
    """What is compared. Everything in one case is the same work, and all of it is in the path."""

    workload: Name
    preset: Name
    task: Task
    batch: Positive
    precision: Precision = "fp32"
    device: Literal["cpu", "gpu"] = "cpu"
    device_count: Positive = 1
    cores: Positive

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

    stack: Name
    mode: Mode
    variant: Name = ""
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

    name: Name
    warmup_block_ms: SomeMs = 25.0
    warmup_window: Annotated[int, Meta(ge=2, le=1000)] = 20
    warmup_tolerance: Annotated[float, Meta(gt=0.0, le=1.0)] = 0.01
    warmup_agreements: Annotated[int, Meta(ge=1, le=1000)] = 2
    warmup_min_s: Seconds = 3.0
    warmup_max_blocks: Annotated[int, Meta(ge=1, le=100_000)] = 300
    warmup_max_s: SomeSeconds = 120.0
    block_ms: SomeMs = 100.0
    block_max_ms: SomeMs = 1000.0
    measure_blocks: Annotated[int, Meta(ge=1, le=1000)] = 10
    measure_s: Seconds = 3.0
    measure_max_s: SomeSeconds = 60.0
    latency_steps: Annotated[int, Meta(ge=0, le=50_000)] = 0  # each is in the sidecar
    telemetry_hz: Hz = 10.0
    learning_epochs: Count = 0
    observer_blocks: Count = 0
    idle_s: Seconds = 0.0
    calibration_ms: Annotated[float, Meta(ge=0.0, le=60_000.0)] = 0.0


class OwnBuild(_Strict, frozen=True, kw_only=True):
    """A wheel of somebody's own, in place of the one that the lock of an image names."""

    distribution: Name
    version: Name
    file: Text
    sha256: Sha256

    def __str__(self) -> str:
        return f"{self.distribution} {self.version} from {self.file}"


class ImageRef(_Strict, frozen=True, kw_only=True, omit_defaults=True):
    """The image a trial runs in; every field but ``name`` is null outside a container, and then left out of the JSON.

    ``config_digest`` is the identity (digest of the canonical image's config), ``repo_digest`` the
    address. ``lock_sha256`` is the hash of the lock file; a virtual environment has it too. ``base_sha256`` is
    the hash of the base's lock of Debian packages. Where no lock made the environment, ``packages_sha256`` is over the
    names and versions of what the stack found installed. Trials with ``own_builds`` are marked, and never published.
    """

    name: Name | None
    config_digest: Digest | None = None
    repo_digest: Name | None = None
    lock_sha256: Sha256 | None = None
    base_sha256: Sha256 | None = None
    packages_sha256: Sha256 | None = None
    compiler: Name | None = None
    own_builds: tuple[OwnBuild, ...] = ()


class Provenance(_Strict, frozen=True, kw_only=True):
    """What the host knows about the harness it starts.

    ``work_hash``: over the code that decides what the trial does, and its preset's config. ``protocol_hash``:
    over the protocol's parameters. Both empty where an image runs by itself.
    """

    executor: Literal["docker", "venv", "system", "slurm"]
    host_id: Name
    git_commit: Name | None
    dirty: bool | None
    harness_tree_sha256: Name
    work_hash: Name
    protocol_hash: Name = ""


class TrialSpec(_Strict, frozen=True, kw_only=True):
    """Everything one process needs to run one trial; read from stdin."""

    spec_version: int = SPEC_VERSION
    kind: TrialKind
    trial_id: Name
    campaign_id: Name
    round: int
    seed: int
    case: Case
    contender: Contender
    protocol: Protocol
    image: ImageRef
    provenance: Provenance
    cache_dir: Text | None = None
    cache_state: Literal["cold", "warm"] = "warm"
    timeout_s: SomeSeconds = 600.0


# --- what is answered --------------------------------------------------------------------------


class Outcome(_Strict, frozen=True, kw_only=True, omit_defaults=True):
    """How the trial ended. A failure is a result and is shown. What equals its default is left out of the JSON."""

    status: Status
    reason: Text | None = None
    mend: Text | None = None
    exit_code: Whole | None = None
    signal: Name | None = None
    stderr_tail: Annotated[list[Text], Meta(max_length=1000)] = []


class ParityDiff(_Strict, frozen=True, kw_only=True):
    """One comparison with the fp64 reference.

    ``metric`` is ``rel-l2`` or ``abs``; passes when ``value <= tolerance``.
    """

    what: Name
    metric: Literal["rel-l2", "abs"]
    value: Gap | None
    tolerance: Gap
    passed: bool


class GatePart(_Strict, frozen=True, kw_only=True, omit_defaults=True):
    """One part of the gate: how many comparisons, how many failed, the one nearest to its tolerance (or farthest
    above).

    ``skipped`` says why it did not take place; ``left_out`` comparisons had no tolerance that would check anything.
    """

    name: Literal["data", "logic", "precision", "optimizer", "state", "shape", "outputs"]
    checks: Count
    failed: Count
    worst: ParityDiff | None = None
    skipped: Text | None = None
    left_out: Count = 0


class Parity(_Strict, frozen=True, kw_only=True):
    """The gate's answer. ``diffs`` holds what failed, a dozen at most; all comparisons are in the sidecar
    (``gate``)."""

    reference: Name
    preset: Name
    batch: Positive
    steps: Count
    diffs: list[ParityDiff]
    passed: bool
    parts: list[GatePart] = []


class Phase(_Strict, frozen=True, kw_only=True, array_like=True):
    """One named phase: wall time and this process's CPU time; in JSON ``[name, wall_ns, cpu_ns]``."""

    name: Name
    wall_ns: Ns
    cpu_ns: Ns


class WarmUp(_Strict, frozen=True, kw_only=True):
    blocks: Positive
    wall_ns: WallNs
    steps_per_block: Positive
    compile_events: Count | None
    steady: bool
    reason: Text


class Block(_Strict, frozen=True, kw_only=True, array_like=True):
    """One timed block: ``steps`` steps between two barriers.

    In JSON ``[steps, wall_ns, cpu_ns, wait_ns]``: with names, 30 blocks would be a third of a record's 8 kB.
    """

    steps: Positive
    wall_ns: WallNs
    cpu_ns: Ns
    wait_ns: Ns | None


class Latency(_Strict, frozen=True, kw_only=True):
    """Barrier after every step. p99 only with at least 500 steps."""

    steps: Positive
    p50_ns: WallNs
    p90_ns: WallNs
    p95_ns: WallNs
    p99_ns: WallNs | None


class Settling(_Strict, frozen=True, kw_only=True):
    """Windows of blocks on a GPU until two neighbours agreed in its clock and its temperature, if they did."""

    windows: Positive
    wall_ns: WallNs
    settled: bool


class ObserverEffect(_Strict, frozen=True, kw_only=True, omit_defaults=True):
    """Blocks with the sampler at work and without it, side by side in one trial, ``first`` drawn by lot; on a GPU
    ``settling`` came before them."""

    first: Literal["on", "off"]
    on: Annotated[list[Block], Meta(min_length=1)]
    off: Annotated[list[Block], Meta(min_length=1)]
    settling: Settling | None = None


class Timing(_Strict, frozen=True, kw_only=True):
    """Blocks of the timed window and what follows from their protocol.

    A step does ``units_per_step`` of ``unit``. ``flops_causal_per_step`` counts only what a causal mask leaves of
    attention; null where there is none.
    ``call_overhead_ns`` is the intercept of time against n over ``run(n)``;
    ``call_overhead_share`` is that intercept over the block's median duration.
    """

    warmup: WarmUp
    blocks: list[Block]
    steady_class: SteadyClass
    units_per_step: Positive
    unit: Literal["samples", "images", "tokens", "calls"]
    flops_per_step: Flops
    flops_causal_per_step: Flops | None = None
    barrier_ns: Ns
    call_overhead_ns: Ns | None
    call_overhead_share: Ratio | None
    latency: Latency | None = None
    observer: ObserverEffect | None = None


class LearningPoint(_Strict, frozen=True, kw_only=True, array_like=True):
    """One look at a training; in JSON ``[epoch, train_wall_ns, score]``. An epoch of a text is a declared
    number of steps."""

    epoch: Positive
    train_wall_ns: WallNs
    score: Score


class Learning(_Strict, frozen=True, kw_only=True):
    """The score after each epoch; training time only, evaluation is outside the clock.

    The target is reached at or above it where ``higher``, else at or below it.
    """

    measure: Literal["test accuracy", "validation loss", "mAP at IoU 0.5"]
    target: Score
    higher: bool
    curve: Annotated[list[LearningPoint], Meta(min_length=1)]
    epochs_to_target: Positive | None
    wall_ns_to_target: WallNs | None
    final_score: Score

    def __post_init__(self) -> None:
        highest = max(*(one.score for one in self.curve), self.target, self.final_score)
        if self.measure in SHARES and highest > 1:
            raise ValueError(f"a {self.measure} is a share of one, and no score of it is above 1")


class Memory(_Strict, frozen=True, kw_only=True):
    """From a separate pass. Each figure is bytes, or null with its reason in ``reasons``."""

    allocator_peak: Count | None
    device_delta: Count | None
    host_rss_peak: Count | None
    host_rss_after_import: Count | None
    reasons: dict[Name, Text] = {}


class Metric(_Strict, frozen=True, kw_only=True, omit_defaults=True):
    """One telemetry metric over the timed window; null with a reason when unsupported.

    A gauge has ``mean``, ``minimum`` and ``maximum`` over ``samples`` readings, a counter its ``delta``, a
    high-water mark its ``maximum``.
    ``mean`` is weighted by time. ``dropped`` readings were impossible (a utilization of 255 %, a negative power)
    or failed, and are in no figure.
    What equals its default is left out of the JSON: a record has twenty and more metrics in 8 kB.
    """

    support: Literal["ok", "not supported", "no permission", "function not found", "failed"] = "ok"
    reason: Text | None = None
    unit: Name = ""
    samples: Count = 0
    dropped: Count = 0
    mean: Reading | None = None
    minimum: Reading | None = None
    maximum: Reading | None = None
    delta: Reading | None = None


class Energy(_Strict, frozen=True, kw_only=True, omit_defaults=True):
    """Energy of one GPU over the timed steps, J; null with a reason when it cannot be known.

    ``source``: difference of the driver's counter, or the integral of instantaneous power. The counter is
    read where it ticks, a little before and after the steps: ``counter_j`` over ``counter_ns``. What lies
    outside the steps, ``slack_ns``, is taken out at idle power: ``total_j = counter_j - idle_w * slack``.
    ``idle_*_w`` is the mean power at rest, with the framework's context, before and after.
    Sensors are off by about +-5 % from card to card: compare on one card only.
    """

    source: Literal["counter", "instant power"] | None = None
    reason: Text | None = None
    total_j: Reading | None = None
    above_idle_j: Reading | None = None
    j_per_sample: Reading | None = None
    counter_j: Reading | None = None
    counter_ns: Count | None = None
    slack_ns: Whole | None = None
    idle_before_w: Reading | None = None
    idle_after_w: Reading | None = None


class Refusal(_Strict, frozen=True, kw_only=True):
    """Metrics that could not be read, all for one reason: a GPU without GPM lacks thirteen at once."""

    support: Literal["not supported", "no permission", "function not found", "failed"]
    reason: Text
    metrics: list[Name]


class GpuTelemetry(_Strict, frozen=True, kw_only=True, omit_defaults=True):
    """One GPU over the timed window. ``uuid_sha256`` finds it in ``hardware.gpus``.

    A metric whose readings were all equal has a ``mean`` only. ``gpm``: what the hardware itself averaged over the
    window, % (links: MiB/s). ``limited_share``: of the samples, those in which clocks were limited, by cause;
    ``held_back_ns``: the driver's counters of the same. ``refused``: what is in none of these, and why.
    ``processes``: how many processes have a context on it, as the driver counts (its numbers are the host's,
    so a container cannot tell which is its own). ``rest_utilization``: its kernel-active %, the larger of before
    and after, while this trial rested. ``lost``: the driver's words when it went away.
    """

    uuid_sha256: Name
    metrics: dict[Name, Metric]
    energy: Energy
    gpm: dict[Name, Reading] = {}
    limited_share: dict[Name, Ratio] = {}
    held_back_ns: dict[Name, Whole] = {}
    refused: list[Refusal] = []
    processes: Count | None = None
    rest_utilization: Reading | None = None
    lost: Text | None = None


class Telemetry(_Strict, frozen=True, kw_only=True):
    """What the sampler saw in the timed window.

    ``dropped_ticks`` were thrown away whole because time ran backwards in them. ``gpus`` has one entry for
    each GPU of the trial; without one ``gpu_reason`` says why. ``sampler_cpu_ns`` is the CPU time that the
    sampler itself used in the window.
    """

    hz: Hz
    ticks: Count
    missed_ticks: Count
    window_ns: Ns  # 0: the trial ended before its window
    metrics: dict[Name, Metric]
    reason: Text | None = None
    dropped_ticks: Count = 0
    gpus: list[GpuTelemetry] = []
    gpu_reason: Text | None = None
    sampler_cpu_ns: Count | None = None


class Calibration(_Strict, frozen=True, kw_only=True):
    """A fixed kernel (matrix product, copy) timed before and after the trial: did the machine itself change?

    ns per repetition. ``drift`` is the larger of the two relative changes, signed: positive is slower.
    """

    matmul_before_ns: WallNs
    matmul_after_ns: WallNs
    copy_before_ns: WallNs
    copy_after_ns: WallNs
    drift: Drift


class Ceiling(_Strict, frozen=True, kw_only=True):
    """What this very device reaches: the best of large matrix products, by precision, and of large copies."""

    matmul_flops_per_s: dict[Name, Rate]
    copy_bytes_per_s: Rate | None
    reasons: dict[Name, Text] = {}


class Canary(_Strict, frozen=True, kw_only=True):
    """A check before the clock: does the machine do what was declared?"""

    name: Name
    passed: bool | None
    expected: Text
    observed: Text


class LoadedLibrary(_Strict, frozen=True, kw_only=True, array_like=True):
    """A shared library of CUDA in the trial's memory, and the package it is from; in JSON ``[file, package,
    version]``.

    One that no installed package owns has its whole path for ``file``, and null for the rest.
    """

    file: Text
    package: Name | None
    version: Name | None


class Software(_Strict, frozen=True, kw_only=True):
    """Versions read at run time inside the trial; null where a part is absent.

    ``libraries``: what of CUDA was really loaded, the driver's own left out. Timed trials have them in the sidecar.
    """

    python: Name
    numpy: Name
    framework: Name | None
    backend: Name | None
    packages: dict[Name, Name]
    cuda: Name | None
    cudnn: Name | None
    driver: Name | None
    compiler: Name | None
    libraries: list[LoadedLibrary] = []


class Gpu(_Strict, frozen=True, kw_only=True, omit_defaults=True):
    """One NVIDIA GPU of the machine; null what its driver does not tell. A UUID identifies a machine: only its
    hash is kept.

    ``pci_device_id`` is device and vendor, ``0x233510de`` for an H200. A GPU cut into instances (``mig``) has their
    hashes. ``power_limit_w`` is in force, ``default_power_limit_w`` what it was made for. Without ``persistence`` the
    driver forgets the GPU's state when nobody uses it; ``ecc`` takes memory and bandwidth on some cards.
    ``capability`` is CUDA's compute capability, ``9.0``.
    """

    name: Name | None
    uuid_sha256: Sha256
    pci_device_id: Annotated[str, Meta(pattern="^0x[0-9a-f]{8}$")] | None = None
    memory_bytes: Count | None = None
    power_limit_w: Watts | None = None
    default_power_limit_w: Watts | None = None
    capability: Name | None = None
    persistence: bool | None = None
    ecc: bool | None = None
    max_sm_clock_mhz: Count | None = None
    max_memory_clock_mhz: Count | None = None
    mig: bool | None = None
    mig_uuid_sha256: list[Sha256] | None = None


class Hardware(_Strict, frozen=True, kw_only=True):
    """The machine as the trial saw it; null = unknown."""

    cpu_model: Name | None
    architecture: Name
    emulated: bool | None
    cores_allowed: Positive
    cores_online: Positive | None
    ram_bytes: Positive | None
    governor: Name | None
    turbo: bool | None
    smt: bool | None
    virtualisation: Name | None
    kernel: Name | None
    cgroup: Text | None
    gpus: list[Gpu] = []


class Settings(_Strict, frozen=True, kw_only=True):
    """What was set explicitly and read back; threads that a framework chose by itself, as far as it tells.

    ``device`` as the framework names it; ``gpus_visible`` is how many it could see (none in a CPU case).
    """

    layout: Name | None
    device: Name | None = None
    gpus_visible: Count | None = None
    threads: dict[Name, Count | None]
    precision: dict[Name, Text | bool | None]
    compile: dict[Name, Text | bool | int | None]


class Sidecar(_Strict, frozen=True, kw_only=True):
    """Time series and long latency lists, gzip-compressed JSON beside the record.

    On the way from the harness ``inline`` holds the bytes (base64); the store writes them to
    ``<trial-id>.sidecar.json.gz`` and keeps only the hash.
    """

    sha256: Name
    inline: str | None = None


class ClusterJob(_Strict, frozen=True, kw_only=True):
    """The job that a trial was part of, in its scheduler's words; ``restarts`` counts how often it was requeued."""

    scheduler: Literal["slurm"]
    job: Name
    node: Name
    partition: Name
    restarts: Count


class Record(_Strict, frozen=True, kw_only=True):
    """What one trial leaves. Written once, never edited.

    ``cluster_job``, and ``engine`` (what ran the container, by name and version), are added by the host that asked.
    """

    record_version: int = RECORD_VERSION
    written_by: Literal["harness", "host"]
    kind: TrialKind
    trial_id: Name
    campaign_id: Name
    round: Count
    seed: Count
    started_utc: UtcTime
    duration_ns: Ns
    case: Case
    contender: Contender
    protocol: Protocol
    image: ImageRef
    provenance: Provenance
    outcome: Outcome
    cache_state: Literal["cold", "warm"]
    workload_config_sha256: Sha256 | None = None
    software: Software | None = None
    hardware: Hardware | None = None
    settings: Settings | None = None
    canaries: list[Canary] = []
    parity: Parity | None = None
    phases: list[Phase] = []
    shape_before: GatePart | None = None
    shape_after: GatePart | None = None
    kernels: dict[Name, Text] = {}
    timing: Timing | None = None
    learning: Learning | None = None
    memory: Memory | None = None
    telemetry: Telemetry | None = None
    calibration: Calibration | None = None
    ceiling: Ceiling | None = None
    flags: list[Name] = []
    sidecar: Sidecar | None = None
    cluster_job: ClusterJob | None = None
    engine: Annotated[str, Meta(max_length=200)] | None = None


def encode(record: Record) -> bytes:
    """JSON bytes of a record, keys in schema order (deterministic)."""
    return msgspec.json.encode(record)


def decode_spec(data: bytes) -> TrialSpec:
    """Strict decoding; raises ``msgspec.ValidationError`` naming the field, or ``DecodeError``."""
    return msgspec.json.decode(data, type=TrialSpec)
