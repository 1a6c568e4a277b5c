"""Tables for those who compute themselves: trials, results and comparisons as pandas, CSV, Parquet, JSON.

Durations are in ns, memory in bytes; a missing value is empty (CSV) or null, never 0. The same records give
the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from framebench.dataset.case_comparisons import CaseComparison
from framebench.dataset.cycles import clock_mhz
from framebench.dataset.device_share import Utilization
from framebench.dataset.energy import SENSOR_ERROR, joules_per_unit, used
from framebench.dataset.file_formats import estimate_columns, table
from framebench.dataset.result import Result
from framebench.dataset.trial_figures import cpu_step_ns, flags_of, phase_ns, wait_share
from framebench.records.identity import result_id
from framebench.records.step_time import step_ns
from framebench.statistics.interval import Estimate
from harness.record import Case, Contender, ImageRef, Record

if TYPE_CHECKING:
    import pandas as pd

PHASES = ("import", "configure", "build", "load_weights", "first_step", "second_step", "warm_up")


def trials_frame(records: Iterable[Record]) -> pd.DataFrame:
    """One row per trial of any kind and outcome, in the order of trial ids."""
    return table([_trial(record) for record in sorted(records, key=lambda record: record.trial_id)])


def results_frame(results: Iterable[Result]) -> pd.DataFrame:
    """One row per result, failed ones included."""
    return table([_result(result) for result in results])


def comparisons_frame(cases: Iterable[CaseComparison]) -> pd.DataFrame:
    """One row per contender and case; those without a time stand at the end of their case."""
    rows: list[dict[str, Any]] = []
    for case in cases:
        shared = {
            "host_id": case.host_id,
            "executor": case.executor,
            "case": case.case.path,
            "protocol": case.protocol.name,
            "edition": case.edition,
            "baseline": case.baseline.label if case.baseline else None,
            "aa_noise_ln": case.noise.limit if case.noise else None,
            "equal_within_ln": case.equal_within,
        }
        for row in case.rows:
            estimate = row.time_ratio or Estimate(1.0, None, None, len(row.result.timed))
            rows.append(
                shared
                | {
                    "contender": row.result.contender.slug,
                    "image": row.result.image.name,
                    "result_id": row.result.id,
                    "place": row.place,
                    "unranked_because": row.result.unranked_because,
                    "time_ratio": estimate.value,
                    "time_ratio_low": estimate.low,
                    "time_ratio_high": estimate.high,
                    "cycle_ratio": row.cycle_ratio,
                    "rounds": estimate.n,
                    "method": row.method,
                    "adjusted_p": row.adjusted_p,
                    "verdict": row.verdict,
                    "relative_to_best": row.relative_to_best,
                    "status": row.result.status,
                    "reason": row.result.reason,
                }
            )
        rows += [
            shared
            | {
                "contender": result.contender.slug,
                "image": result.image.name,
                "result_id": result.id,
                "unranked_because": result.unranked_because,
                "status": result.status,
                "reason": result.reason,
            }
            for result in case.absent
        ]
    return table(rows)


def _what(case: Case, contender: Contender, image: ImageRef) -> dict[str, Any]:
    return {
        "workload": case.workload,
        "preset": case.preset,
        "task": case.task,
        "batch": case.batch,
        "precision": case.precision,
        "device": case.device,
        "device_count": case.device_count,
        "cores": case.cores,
        "case": case.path,
        "contender": contender.slug,
        "stack": contender.stack,
        "mode": contender.mode,
        "variant": contender.variant,
        "twin": contender.twin,
        "image": image.name,
        "config_digest": image.config_digest,
        "repo_digest": image.repo_digest,
        "lock_sha256": image.lock_sha256,
        "base_sha256": image.base_sha256,
        "own_builds": "; ".join(map(str, image.own_builds)) or None,
    }


def _trial(record: Record) -> dict[str, Any]:
    timing, memory, learning = record.timing, record.memory, record.learning
    ceiling = record.ceiling
    software, hardware = record.software, record.hardware
    latency = timing.latency if timing else None
    step = step_ns(record)
    seconds = step / 1e9 if step else None
    return {
        "trial_id": record.trial_id,
        "result_id": result_id(record),
        "kind": record.kind,
        "campaign_id": record.campaign_id,
        "round": record.round,
        "seed": record.seed,
        "started_utc": record.started_utc,
        "duration_ns": record.duration_ns,
        "host_id": record.provenance.host_id,
        "executor": record.provenance.executor,
        "protocol": record.protocol.name,
        **_what(record.case, record.contender, record.image),
        "git_commit": record.provenance.git_commit,
        "dirty": record.provenance.dirty,
        "engine": record.engine,
        "harness_tree_sha256": record.provenance.harness_tree_sha256,
        "work_hash": record.provenance.work_hash,
        "protocol_hash": record.provenance.protocol_hash or None,
        "status": record.outcome.status,
        "reason": record.outcome.reason,
        "flags": "; ".join(flags_of(record)),
        "cache_state": record.cache_state,
        "steady_class": timing.steady_class if timing else None,
        "blocks": len(timing.blocks) if timing else None,
        "steps": sum(block.steps for block in timing.blocks) if timing else None,
        "step_ns": step,
        "units_per_s": timing.units_per_step / seconds if timing and seconds else None,
        "unit": timing.unit if timing else None,
        "cpu_step_ns": cpu_step_ns(record),
        "wait_share": wait_share(record),
        **_energy(record),
        "sm_clock_mhz": clock_mhz(record),
        "flops_per_step": timing.flops_per_step if timing else None,
        "flops_causal_per_step": timing.flops_causal_per_step if timing else None,
        "flops_per_s": timing.flops_per_step / seconds if timing and seconds else None,
        "latency_p50_ns": latency.p50_ns if latency else None,
        "latency_p90_ns": latency.p90_ns if latency else None,
        "latency_p95_ns": latency.p95_ns if latency else None,
        "latency_p99_ns": latency.p99_ns if latency else None,
        "warm_up_blocks": timing.warmup.blocks if timing else None,
        "warm_up_steady": timing.warmup.steady if timing else None,
        **{f"{name}_ns": phase_ns(record, name) for name in PHASES},
        "allocator_peak_bytes": memory.allocator_peak if memory else None,
        "device_delta_bytes": memory.device_delta if memory else None,
        "host_rss_peak_bytes": memory.host_rss_peak if memory else None,
        "host_rss_after_import_bytes": memory.host_rss_after_import if memory else None,
        "parity_passed": record.parity.passed if record.parity else None,
        "shape_checked": _shape_checked(record),
        **{
            f"ceiling_{precision}_flops_per_s": ceiling.matmul_flops_per_s.get(precision) if ceiling else None
            for precision in ("fp32", "tf32", "bf16")
        },
        "ceiling_copy_bytes_per_s": ceiling.copy_bytes_per_s if ceiling else None,
        "learning_measure": learning.measure if learning else None,
        "target": learning.target if learning else None,
        "final_score": learning.final_score if learning else None,
        "epochs_to_target": learning.epochs_to_target if learning else None,
        "ns_to_target": learning.wall_ns_to_target if learning else None,
        "framework_version": software.framework if software else None,
        "backend_version": software.backend if software else None,
        "numpy_version": software.numpy if software else None,
        "python_version": software.python if software else None,
        "compiler": software.compiler if software else None,
        "cpu_model": hardware.cpu_model if hardware else None,
        "architecture": hardware.architecture if hardware else None,
        "ram_bytes": hardware.ram_bytes if hardware else None,
        "virtualisation": hardware.virtualisation if hardware else None,
    }


def _energy(record: Record) -> dict[str, Any]:
    """What its GPUs used, and how far the sensor may be off."""
    energy = used(record)
    return {
        "energy_j": energy.total if energy else None,
        "energy_above_rest_j": energy.above_rest if energy else None,
        "joules_per_unit": energy.per_unit if energy else None,
        "energy_sensor": energy.sensor if energy else None,
        "energy_sensor_error": SENSOR_ERROR if energy else None,
    }


def _shape_checked(record: Record) -> bool | None:
    """Whether the timed shape was compared with float64 before and after the blocks; null where nobody could."""
    looks = [look for look in (record.shape_before, record.shape_after) if look is not None]
    if len(looks) < 2 or any(look.checks == 0 for look in looks):
        return None
    return not any(look.failed for look in looks)


def _result(result: Result) -> dict[str, Any]:
    first, learning, memory, latency = result.first_steps, result.learning, result.memory, result.latency
    return {
        "result_id": result.id,
        "host_id": result.host_id,
        "executor": result.executor,
        "container": result.container,
        "protocol": result.protocol.name,
        "edition": result.edition,
        **_what(result.case, result.contender, result.image),
        "work_hash": result.work_hash,
        "protocol_hash": result.latest.provenance.protocol_hash or None,
        "git_commit": result.git_commit,
        "dirty": result.dirty,
        "superseded": result.superseded,
        "retired": result.retired,
        "status": result.status,
        "reason": result.reason,
        "ranked": result.ranked,
        "unranked_because": result.unranked_because,
        "flags": "; ".join(result.flags),
        "timing_trials": len(result.timed),
        "failed_trials": len(result.failures),
        **estimate_columns("step_ns", result.time_ns),
        **estimate_columns("units_per_s", result.throughput),
        "unit": result.unit,
        **estimate_columns("cpu_step_ns", result.cpu_ns),
        "wait_share": result.wait_share,
        "joules_per_unit": joules_per_unit(result),
        "flops_per_step": result.flops_per_step,
        "flops_causal_per_step": result.flops_causal_per_step,
        **_utilization(result.utilization),
        "latency_steps": latency.steps if latency else None,
        **estimate_columns("latency_p50_ns", latency.p50 if latency else None),
        **estimate_columns("latency_p90_ns", latency.p90 if latency else None),
        **estimate_columns("latency_p95_ns", latency.p95 if latency else None),
        **estimate_columns("latency_p99_ns", latency.p99 if latency else None),
        "latency_bootstrap_seed": latency.seed if latency and latency.p50.low is not None else None,
        "first_step_cold_ns": first.cold_ns if first else None,
        "first_step_warm_ns": first.warm_ns if first else None,
        "allocator_peak_bytes": memory.allocator_peak if memory else None,
        "device_delta_bytes": memory.device_delta if memory else None,
        "host_rss_peak_bytes": memory.host_rss_peak if memory else None,
        "parity_passed": result.parity.passed if result.parity else None,
        "learning_measure": learning.measure if learning else None,
        "target": learning.target if learning else None,
        **estimate_columns("final_score", learning.final_score if learning else None),
        "reached_target": learning.reached if learning else None,
        "epochs_to_target": learning.epochs_to_target if learning else None,
        "ns_to_target": learning.ns_to_target.value if learning and learning.ns_to_target else None,
    }


def _utilization(share: Utilization | None) -> dict[str, Any]:
    return {
        "precision_ran": share.precision if share else None,
        "flops_per_s": share.flops_per_s if share else None,
        "peak_flops_per_s": share.peak if share else None,
        "mfu": share.mfu if share else None,
        "mfu_reason": share.mfu_reason if share else None,
        "ceiling_flops_per_s": share.ceiling if share else None,
        "ceiling_share": share.ceiling_share if share else None,
        "ceiling_reason": share.ceiling_reason if share else None,
    }
