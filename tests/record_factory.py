"""Valid synthetic records for tests only: seeded, plausible numbers that nobody measured."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec
import numpy as np

from framebench.records.identity import protocol_hash
from framebench.records.reproduction_document import Reproduction
from harness.record import (
    Block,
    Calibration,
    Canary,
    Case,
    Ceiling,
    Contender,
    Energy,
    GatePart,
    GpuTelemetry,
    Hardware,
    ImageRef,
    Latency,
    Learning,
    LearningPoint,
    Memory,
    Metric,
    Outcome,
    Parity,
    ParityDiff,
    Phase,
    Protocol,
    Provenance,
    Record,
    Refusal,
    Settings,
    Sidecar,
    Software,
    Telemetry,
    Timing,
    TrialKind,
    TrialSpec,
    WarmUp,
)

CASE = Case(workload="convstack", preset="cpu", task="train", batch=16, cores=2)
MLP_CASE = Case(workload="mlp", preset="cpu", task="train", batch=32, cores=2)
GPT_CASE = Case(workload="gpt", preset="cpu", task="train", batch=4, cores=2)
CONTENDERS = (
    Contender(stack="torch", mode="eager"),
    Contender(stack="torch", mode="compiled"),
    Contender(stack="tensorflow", mode="compiled", variant="graph"),
    Contender(stack="keras-jax", mode="compiled", variant="loop"),
)
# True median time of one step in ns, per contender slug; only the ratios matter to tests.
STEP_NS = {
    "torch-eager": 80e6,
    "torch-compiled": 60e6,
    "tensorflow-compiled-graph": 88e6,
    "keras-jax-compiled-loop": 95e6,
}


def trial_id(number: int) -> str:
    """A 26-character id like the store's, in the order of ``number``."""
    digits = "0123456789abcdefghjkmnpqrstvwxyz"
    tail = ""
    for _ in range(16):
        tail = digits[number % 32] + tail
        number //= 32
    return "01kb2fa9ze" + tail


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def image(contender: Contender, container: bool = True) -> ImageRef:
    versions = {"torch": "torch-2.13.0", "tensorflow": "tensorflow-2.21.0"}
    name = f"{versions.get(contender.stack, contender.stack + '-3.15.1')}-cpu-py311"
    return ImageRef(
        name=name,
        config_digest=f"sha256:{sha('config ' + name)}" if container else None,
        lock_sha256=sha("lock " + name),
        base_sha256=sha("base"),
        compiler="g++ 12.2.0" if contender.mode == "compiled" else None,
    )


def timing(
    step_ns: float,
    blocks: int = 10,
    within: float = 0.005,
    seed: int = 0,
    units: int = 16,
    unit: Literal["samples", "images", "tokens", "calls"] = "images",
    flops_causal: int | None = None,
) -> Timing:
    """Blocks of about 160 ms around ``step_ns``, spread log-normally by ``within``."""
    random = np.random.default_rng(seed)
    steps = max(1, round(160e6 / step_ns))
    walls = step_ns * steps * np.exp(random.normal(0.0, within, blocks))
    return Timing(
        warmup=WarmUp(
            blocks=80,
            wall_ns=int(80 * 30e6),
            steps_per_block=1,
            compile_events=0,
            steady=True,
            reason="two windows of 20 agree within 1 %, twice",
        ),
        blocks=[
            Block(steps=steps, wall_ns=int(wall), cpu_ns=int(1.9 * wall), wait_ns=None) for wall in walls
        ],
        steady_class="steady",
        units_per_step=units,
        unit=unit,
        flops_per_step=3_500_000_000,
        flops_causal_per_step=flops_causal,
        barrier_ns=2_000,
        call_overhead_ns=15_000,
        call_overhead_share=0.0001,
        latency=Latency(
            steps=120,
            p50_ns=int(step_ns),
            p90_ns=int(step_ns * 1.05),
            p95_ns=int(step_ns * 1.08),
            p99_ns=None,
        ),
    )


def diff(what: str, value: float | None, tolerance: float, metric: Literal["rel-l2", "abs"]) -> ParityDiff:
    """A comparison with its outcome."""
    passed = value is not None and value <= tolerance
    return ParityDiff(what=what, metric=metric, value=value, tolerance=tolerance, passed=passed)


# What a gate compares, part by part, in a trial that passes
_RULE = [diff("rule of the weights", 0.31, 1.0, "rel-l2")]
_STATE = [diff("steps counted", 0.0, 0.0, "abs")]
GATE: list[tuple[str, list[ParityDiff]]] = [
    ("data", [diff("bytes of the weights", 0.0, 0.0, "abs"), diff("bytes of the batches", 0.0, 0.0, "abs")]),
    (
        "logic",
        [diff("loss 1", 2.2e-16, 1e-9, "abs"), diff("gradients conv0/kernel", 4.4e-16, 1e-9, "rel-l2")],
    ),
    ("optimizer", _RULE),
    ("state", _STATE),
    (
        "precision",
        [
            diff("loss 1", 1.2e-7, 1e-5, "abs"),
            diff("gradients conv0/kernel", 2.4e-6, 1e-4, "rel-l2"),
            diff("updates conv0/kernel", 8.0e-6, 1e-3, "rel-l2"),
        ],
    ),
    ("optimizer", _RULE),
    ("state", _STATE),
]


def part(name: str, diffs: Sequence[ParityDiff], left_out: int = 0) -> GatePart:
    """What a record keeps of one part; the comparison nearest to its tolerance is its worst."""

    def nearness(one: ParityDiff) -> float:
        return (one.value or 0.0) / one.tolerance if one.tolerance else float(bool(one.value))

    fields = {
        "name": name,
        "checks": len(diffs),
        "failed": sum(not one.passed for one in diffs),
        "worst": max(diffs, key=nearness),
        "left_out": left_out,
    }
    return msgspec.convert(fields, GatePart, from_attributes=True)


def gate(passed: bool = True) -> list[tuple[str, list[ParityDiff]]]:
    """All comparisons of a gate; one that fails ends with the part that failed."""
    if passed:
        return GATE
    wrong = diff("gradients conv0/kernel", 0.02, 1e-4, "rel-l2")
    parts = GATE[:5]
    return [*parts[:-1], (parts[-1][0], [wrong if one.what == wrong.what else one for one in parts[-1][1]])]


def parity(passed: bool = True) -> Parity:
    parts = [part(name, diffs, left_out=2 if name == "precision" else 0) for name, diffs in gate(passed)]
    if passed:
        parts.append(GatePart(name="shape", checks=0, failed=0, skipped="no reference for batch 16"))
    return Parity(
        reference="torch 2.13.0 float64",
        preset="cpu",
        batch=4,
        steps=3,
        diffs=[one for _name, diffs in gate(passed) for one in diffs if not one.passed],
        passed=passed,
        parts=parts,
    )


def gate_sidecar(passed: bool = True) -> Sidecar:
    """The gate's whole list, as a parity trial's sidecar has it."""
    parts = [{"part": name, "diffs": msgspec.to_builtins(diffs)} for name, diffs in gate(passed)]
    return inline_sidecar({"gate": parts})


def shape() -> GatePart:
    """A look at the timed shape, passed."""
    return part("shape", [diff("loss 1", 1.1e-7, 1e-5, "abs"), diff("steps counted", 0.0, 0.0, "abs")])


def learning(final: float = 0.97) -> Learning:
    """Test accuracy after each of eight epochs."""
    curve = [
        LearningPoint(epoch=epoch + 1, train_wall_ns=40_000_000 * (epoch + 1), score=accuracy)
        for epoch, accuracy in enumerate(np.linspace(0.8, final, 8).round(4).tolist())
    ]
    reached = next((point for point in curve if point.score >= 0.95), None)
    return _learning("test accuracy", 0.95, True, curve, reached)


def learning_loss(final: float = 1.9) -> Learning:
    """Validation loss after each of eight epochs: lower is better."""
    curve = [
        LearningPoint(epoch=epoch + 1, train_wall_ns=40_000_000 * (epoch + 1), score=loss)
        for epoch, loss in enumerate(np.linspace(4.5, final, 8).round(4).tolist())
    ]
    reached = next((point for point in curve if point.score <= 2.0), None)
    return _learning("validation loss", 2.0, False, curve, reached)


def _learning(
    measure: Literal["test accuracy", "validation loss", "mAP at IoU 0.5"],
    target: float,
    higher: bool,
    curve: list[LearningPoint],
    reached: LearningPoint | None,
) -> Learning:
    return Learning(
        measure=measure,
        target=target,
        higher=higher,
        curve=curve,
        epochs_to_target=reached.epoch if reached else None,
        wall_ns_to_target=reached.train_wall_ns if reached else None,
        final_score=curve[-1].score,
    )


def memory() -> Memory:
    return Memory(
        allocator_peak=None,
        device_delta=None,
        host_rss_peak=734_003_200,
        host_rss_after_import=310_378_496,
        reasons={"allocator_peak": "the CPU allocator keeps no peak", "device_delta": "no GPU"},
    )


def ceiling() -> Ceiling:
    return Ceiling(matmul_flops_per_s={"fp32": 9.1e10}, copy_bytes_per_s=2.3e10)


def telemetry() -> Telemetry:
    return Telemetry(
        hz=10.0,
        ticks=30,
        missed_ticks=0,
        window_ns=3_000_000_000,
        metrics={
            "rss": Metric(support="ok", unit="B", samples=30, mean=6.9e8, minimum=6.8e8, maximum=7e8),
            "steal": Metric(support="ok", unit="ns", samples=2, delta=0),
            "on_cpu": Metric(support="ok", unit="ns", samples=2, delta=5.4e9),
            "run_queue_wait": Metric(support="ok", unit="ns", samples=2, delta=6e7),
        },
        gpu_reason="no NVIDIA library",
    )


def gpu_telemetry(number: int = 0) -> GpuTelemetry:
    """One GPU over a window of 3 s at about 600 W."""
    return GpuTelemetry(
        uuid_sha256=sha(f"gpu {number}"),
        metrics={
            "power_instant": Metric(unit="W", samples=28, mean=597.4, minimum=580.0, maximum=604.0),
            "utilization": Metric(unit="%", samples=20, mean=98.6, minimum=97.0, maximum=100.0),
            "memory_used": Metric(unit="B", samples=8, mean=5 * 2**30),
            "sm_clock": Metric(unit="MHz", samples=3, reason="3 samples in the window, a mean needs 8"),
        },
        gpm={"sm": 81.2, "pcie_tx": 940.0},
        limited_share={"power": 0.25, "thermally": 0.0},
        held_back_ns={"policy_power": 750_000_000},
        refused=[
            Refusal(support="not supported", reason="Not Supported", metrics=["gpm_fp64", "ecc_corrected"])
        ],
        energy=Energy(
            source="counter", total_j=1792.0, above_idle_j=1492.0, j_per_sample=0.21, idle_before_w=100.0
        ),
        processes=1,
        rest_utilization=0.0,
    )


def inline_sidecar(series: Mapping[str, Any] | None = None) -> Sidecar:
    """A sidecar as the harness sends it: gzip-compressed JSON, base64, with the hash of those bytes."""
    data = gzip.compress(json.dumps(series or {"rss": [1, 2, 3]}).encode(), mtime=0)
    return Sidecar(sha256=hashlib.sha256(data).hexdigest(), inline=base64.b64encode(data).decode())


def telemetry_series(gpus: int = 0, ticks: int = 30) -> dict[str, Any]:
    """A sidecar's telemetry at 10 Hz: 1.9 cores at work until one tick with 1.5, memory that grows, GPUs at about
    600 W."""
    t_ns = [100_000_000 * (tick + 1) for tick in range(ticks)]
    rare = [40_000_000 if tick >= ticks // 2 else 0 for tick in range(ticks)]
    metrics = {
        "cpu_time": [at * 19 // 10 - late for at, late in zip(t_ns, rare, strict=True)],
        "host_busy": [at * 2 + late // 4 for at, late in zip(t_ns, rare, strict=True)],
        "steal": [0] * ticks,
        "rss": [(500 + tick) << 20 for tick in range(ticks)],
    }
    of_gpu = {
        "power_instant": [590 + tick % 20 for tick in range(ticks)],
        "temperature": [None] * (ticks - 1) + [61],
    }
    found = [{"uuid_sha256": sha(f"gpu {number}"), "metrics": of_gpu} for number in range(gpus)]
    return {"telemetry": {"t_ns": t_ns, "metrics": metrics, "gpus": found}}


def make_record(**changes: Any) -> Record:
    """A valid record of an ``ok`` timing trial; ``changes`` replace top-level fields.

    Three shorthands reach deeper: ``step_ns`` (time of one step), ``executor`` and ``host_id``.
    """
    case = changes.get("case", CASE)
    contender = changes.get("contender", CONTENDERS[0])
    executor = changes.pop("executor", "docker")
    host_id = changes.pop("host_id", "epyc-2c-ab12cd34")
    step_ns = changes.pop("step_ns", STEP_NS["torch-eager"])
    kind: TrialKind = changes.get("kind", "timing")
    protocol = changes.get("protocol", Protocol(name="cpu"))
    phases = [
        ("import", 2.1e9),
        ("build", 0.2e9),
        ("load_weights", 0.01e9),
        ("first_step", 0.5e9 if contender.mode == "eager" else 9e9),
        ("second_step", step_ns),
        ("warm_up", 3.2e9),
    ]
    fields: dict[str, Any] = {
        "written_by": "harness",
        "kind": kind,
        "trial_id": trial_id(1),
        "campaign_id": trial_id(0),
        "round": 1,
        "seed": 1,
        "started_utc": "2026-11-23T08:00:00Z",
        "duration_ns": 12_000_000_000,
        "case": case,
        "contender": contender,
        "protocol": protocol,
        "image": ImageRef(name=None) if executor == "system" else image(contender, executor == "docker"),
        "provenance": Provenance(
            executor=executor,
            host_id=host_id,
            git_commit="cf6bcef0cf6bcef0cf6bcef0cf6bcef0cf6bcef0",
            dirty=False,
            harness_tree_sha256=sha("tree"),
            work_hash=sha(f"work {contender.stack} {case.workload}"),
            protocol_hash=protocol_hash(protocol),
        ),
        "outcome": Outcome(status="ok"),
        "cache_state": "warm",
        "workload_config_sha256": sha("config " + case.path),
        "software": Software(
            python="3.11.2",
            numpy="2.4.1",
            framework="2.13.0+cpu",
            backend=None,
            packages={"torch": "2.13.0+cpu", "numpy": "2.4.1"},
            cuda=None,
            cudnn=None,
            driver=None,
            compiler="g++ 12.2.0",
        ),
        "hardware": Hardware(
            cpu_model="AMD EPYC",
            architecture="x86_64",
            emulated=False,
            cores_allowed=2,
            cores_online=2,
            ram_bytes=8 << 30,
            governor=None,
            turbo=None,
            smt=None,
            virtualisation="kvm",
            kernel="6.1.0",
            cgroup="v1",
        ),
        "settings": Settings(
            layout="NCHW",
            threads={"intra_op": 2, "inter_op": 1},
            precision={"matmul": "highest", "tf32": False},
            compile={"fullgraph": True},
        ),
        "canaries": [Canary(name="threads", passed=True, expected="<= 2", observed="2")],
        "telemetry": telemetry(),
    }
    if kind == "parity":
        fields["parity"] = parity()
    elif kind == "memory":
        fields["memory"] = memory()
    elif kind == "ceiling":
        fields["ceiling"] = ceiling()
    else:
        fields["phases"] = [Phase(name=name, wall_ns=int(wall), cpu_ns=int(wall)) for name, wall in phases]
        if kind == "timing":
            fields["timing"] = timing(step_ns, **_units(case))
            fields["shape_before"] = fields["shape_after"] = shape()
            fields["kernels"] = {"attention": "flash"} if case.workload == "gpt" else {}
            fields["calibration"] = Calibration(
                matmul_before_ns=298_000,
                matmul_after_ns=299_000,
                copy_before_ns=760_000,
                copy_after_ns=752_000,
                drift=-0.0105,
            )
        if case.workload == "mlp" and case.task == "train" and kind == "timing":
            fields["learning"] = learning()
        if case.workload == "gpt" and case.task == "train" and kind == "timing":
            fields["learning"] = learning_loss()
    if kind == "cold-start":
        fields["cache_state"] = "cold"
    return Record(**(fields | changes))


def _units(case: Case) -> dict[str, Any]:
    """What a step of a workload counts."""
    if case.workload == "gpt":
        return {"units": 128 * case.batch, "unit": "tokens", "flops_causal": 3_300_000_000}
    return {}


def make_failed(status: str, reason: str, **changes: Any) -> Record:
    """A record of a trial that ended badly: nothing measured, the reason given."""
    written_by = "host" if status in {"oom", "timeout", "crashed", "interrupted"} else "harness"
    empty: dict[str, Any] = {
        "timing": None,
        "shape_before": None,
        "shape_after": None,
        "learning": None,
        "phases": [],
        "memory": None,
        "telemetry": None,
    }
    outcome = msgspec.convert({"status": status, "reason": reason, "mend": "read the reason"}, Outcome)
    return make_record(**(empty | {"written_by": written_by, "outcome": outcome} | changes))


def answering(spec: TrialSpec) -> Record:
    """The record of a trial that was told this spec."""
    told = {
        name: getattr(spec, name) for name in TrialSpec.__struct_fields__ if name in Record.__struct_fields__
    }
    return msgspec.structs.replace(make_record(), **told)


def make_trials(
    contenders: Sequence[Contender] = CONTENDERS,
    cases: Sequence[Case] = (CASE,),
    rounds: int = 5,
    spread: float = 0.01,
    seed: int = 7,
    step_ns: Mapping[str, float] = STEP_NS,
    kinds: Sequence[TrialKind] = ("parity", "timing"),
    **changes: Any,
) -> list[Record]:
    """Whole rounds: each contender of each case once per round, in a seeded shuffled order.

    ``ln(time) = ln(step_ns) + round effect (2 * spread) + error (spread)``; a twin has its original's time.
    Kinds other than ``timing`` are made once per contender and case.
    """
    random = np.random.default_rng(seed)
    records: list[Record] = []

    def add(kind: TrialKind, case: Case, contender: Contender, number: int, **more: Any) -> None:
        count = len(records) + 1
        started = f"2026-11-23T{8 + count // 3600 % 16:02d}:{count // 60 % 60:02d}:{count % 60:02d}Z"
        records.append(
            make_record(
                **(
                    {
                        "kind": kind,
                        "case": case,
                        "contender": contender,
                        "round": number,
                        "seed": number,
                        "trial_id": trial_id(seed * 1_000_000 + count),
                        "campaign_id": trial_id(seed * 1_000_000),
                        "started_utc": started,
                    }
                    | more
                    | changes
                )
            )
        )

    for kind in kinds:
        for case in cases if kind != "timing" else ():
            for contender in contenders:
                add(kind, case, contender, 0)
    if "timing" in kinds:
        for number in range(1, rounds + 1):
            for case in cases:
                drift = random.normal(0.0, 2 * spread)
                for index in random.permutation(len(contenders)):
                    contender = contenders[index]
                    slug = contender.slug.removesuffix("-twin")
                    time = step_ns.get(slug, 70e6) * float(np.exp(drift + random.normal(0.0, spread)))
                    add("timing", case, contender, number, step_ns=time)
    return records


def make_reproduction(result_id: str, **changes: Any) -> Reproduction:
    """A reproduction on another host that found the same ratio; ``changes`` replace fields."""
    fields: dict[str, Any] = {
        "reproduction_id": "1" * 26,
        "result_id": result_id,
        "reproduced_utc": "2026-11-24T10:00:00Z",
        "host_id": "other-4c-0a0b0c",
        "same_hardware": False,
        "executor": "docker",
        "config_digest": None,
        "image_source": "rebuilt",
        "rounds": 5,
        "contender": "torch-eager",
        "baseline": "torch-compiled",
        "recorded_ratio": 1.3,
        "new_ratio": 1.29,
        "ratio_of_ratios": 0.992,
        "low": 0.97,
        "high": 1.015,
        "bound": 0.05,
        "verdict": "reproduced",
        "rounds_needed": None,
        "trial_ids": ["2" * 26],
    }
    return Reproduction(**(fields | changes))
