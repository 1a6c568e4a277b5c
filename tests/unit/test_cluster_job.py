"""What a record says of the cluster's job that it was part of."""

from __future__ import annotations

import msgspec
import pytest

from framebench.campaign.cluster_job import this_job
from framebench.pages import facts
from harness.record import ClusterJob
from tests.record_factory import make_record

SLURM = {
    "SLURM_JOB_ID": "17",
    "SLURM_ARRAY_JOB_ID": "12",
    "SLURM_ARRAY_TASK_ID": "3",
    "SLURMD_NODENAME": "n4",
    "SLURM_JOB_PARTITION": "gpu",
    "SLURM_RESTART_COUNT": "2",
}


def test_slurm_says_job_node_partition_and_restarts() -> None:
    assert this_job(SLURM) == ClusterJob(
        scheduler="slurm", job="12_3", node="n4", partition="gpu", restarts=2
    )
    alone = {name: SLURM[name] for name in ("SLURM_JOB_ID", "SLURMD_NODENAME")}
    assert this_job(alone) == ClusterJob(scheduler="slurm", job="17", node="n4", partition="", restarts=0)


@pytest.mark.parametrize("missing", ["SLURM_JOB_ID", "SLURMD_NODENAME"])
def test_outside_a_batch_script_there_is_no_job(missing: str) -> None:
    assert this_job({name: value for name, value in SLURM.items() if name != missing}) is None
    assert this_job({}) is None


def test_the_result_page_names_the_job_and_nothing_where_there_was_none() -> None:
    record = make_record()
    assert "Cluster" not in {fact.name for fact in facts.provenance(record, 3)}
    record = msgspec.structs.replace(record, cluster_job=this_job(SLURM))
    [said] = [fact.text for fact in facts.provenance(record, 3) if fact.name == "Cluster"]
    assert said == "Slurm job 12_3 on node n4, partition gpu, requeued 2 times"
