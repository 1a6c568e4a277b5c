"""The cluster's job that this process is part of, as far as its scheduler says so."""

from __future__ import annotations

from collections.abc import Mapping

from harness.record import ClusterJob


def this_job(environment: Mapping[str, str]) -> ClusterJob | None:
    """Slurm's, from the variables that it sets for a batch script; null elsewhere."""
    job, node = environment.get("SLURM_JOB_ID"), environment.get("SLURMD_NODENAME")
    if not job or not node:
        return None
    array, task = environment.get("SLURM_ARRAY_JOB_ID"), environment.get("SLURM_ARRAY_TASK_ID")
    restarts = environment.get("SLURM_RESTART_COUNT", "0")
    return ClusterJob(
        scheduler="slurm",
        job=f"{array}_{task}" if array and task else job,
        node=node,
        partition=environment.get("SLURM_JOB_PARTITION", ""),
        restarts=int(restarts) if restarts.isdecimal() else 0,
    )
