"""A campaign over the nodes of a real Slurm: whatever happens to a node, the set of results is that of one machine."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from framebench.records import store
from harness.record import Record
from tests.integration.numpy_clone import add_suite, commit, copy_tree, framebench
from tests.integration.slurm_cluster import Cluster, cluster, missing
from tests.requirement import require


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    require("slurm", not missing(), missing())
    with cluster(tmp_path_factory.mktemp("slurm") / "cluster", nodes=4) as one:
        yield one


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A clone in a folder that all nodes share."""
    copy_tree(tmp_path / "clone")
    add_suite(tmp_path / "clone", "cluster", batches=[1, 2, 3, 4])
    commit(tmp_path / "clone")
    return tmp_path / "clone"


def submit(slurm: Cluster, home: Path, shards: int, at_once: int) -> None:
    done = framebench(
        home,
        *("slurm", "--suite", "cluster", "--executor", "system"),
        *("--shards", str(shards), "--at-once", str(at_once)),
    )
    assert done.returncode == 0, done.stderr
    (home / "job.sh").write_text(done.stdout)
    slurm.run("sbatch", "job.sh", cwd=home)


def records(folder: Path) -> list[Record]:
    return [record for _, record in store.load([folder]).records] if folder.exists() else []


def trials(folder: Path) -> Counter[tuple[str, str, int]]:
    """How often each trial has ended well."""
    return Counter(
        (record.case.path, record.contender.slug, record.round)
        for record in records(folder)
        if record.outcome.status == "ok"
    )


def running(slurm: Cluster, home: Path, already: int) -> tuple[str, str]:
    """Id and node of a job that is in mid-trial, after more than so many records."""
    deadline = time.monotonic() + 400  # another campaign may be measuring on this machine
    while time.monotonic() < deadline:
        active = [(job, node) for job, (state, node) in slurm.jobs().items() if state == "RUNNING"]
        if active and len(records(home / "results")) > already:
            return active[0]
        time.sleep(0.1)
    raise AssertionError(f"no job came as far: {slurm.jobs()} {logs(home)}")


def logs(home: Path) -> str:
    return "\n".join(path.read_text() for path in sorted(home.glob("framebench-*.log")))


def test_a_campaign_over_four_nodes_of_which_one_dies_is_that_of_one_machine(
    slurm: Cluster, home: Path
) -> None:
    alone = home / "alone"
    done = framebench(
        home, "run", "--suite", "cluster", "--executor", "system", "--budget", "none", "--results", str(alone)
    )
    assert done.returncode == 0, done.stdout + done.stderr

    submit(slurm, home, shards=4, at_once=1)
    _, node = running(slurm, home, already=1)
    before = {path: path.read_bytes() for path in (home / "results").rglob("*.json")}
    slurm.kill(node)
    slurm.wait(600)
    slurm.revive(node)

    assert trials(home / "results") == trials(alone), logs(home)
    assert set(trials(alone).values()) == {1}
    assert {path: path.read_bytes() for path in before} == before
    jobs = [record.cluster_job for record in records(home / "results")]
    assert {0, 1} <= {job.restarts for job in jobs if job}  # more where a node answers late
    assert len({job.node for job in jobs if job}) > 1 and None not in jobs
    assert {job.partition for job in jobs if job} == {"all"}
    assert all(record.cluster_job is None for record in records(alone))


def test_jobs_that_are_requeued_drained_and_submitted_again_lose_nothing(slurm: Cluster, home: Path) -> None:
    submit(slurm, home, shards=2, at_once=2)
    job, _ = running(slurm, home, already=1)
    slurm.run("scontrol", "requeue", job)  # what preemption does
    _, node = running(slurm, home, already=len(records(home / "results")))
    slurm.run("scontrol", "update", f"NodeName={node}", "State=DRAIN", "Reason=test")
    job, _ = running(slurm, home, already=len(records(home / "results")))
    slurm.run("scontrol", "update", f"JobId={job}", "TimeLimit=0")  # it is over
    slurm.wait(600)
    slurm.run("scontrol", "update", f"NodeName={node}", "State=RESUME")
    kept = trials(home / "results")

    slurm.run("sbatch", "job.sh", cwd=home)
    slurm.wait(600)
    whole = trials(home / "results")
    assert set(whole.values()) == {1} and len(whole) == 4 * 2 * 3, logs(home)
    assert kept <= whole
    assert store.load([home / "results"]).faults == []


@pytest.mark.slow
def test_each_node_is_measured_and_held_against_the_others(slurm: Cluster, home: Path) -> None:
    """The lines of the page Slurm, with NumPy's suite; which node is slow on this day is not asserted."""
    run = f"{sys.executable} -m framebench.cli run --suite cluster --executor system --budget none --case '*-b1-*'"
    slurm.run(
        *("srun", "--nodes=4", "--ntasks-per-node=1"),
        *("sh", "-c", f"{run} --results fleet/$SLURMD_NODENAME"),
        cwd=home,
    )
    jobs = [record.cluster_job for record in records(home / "fleet")]
    nodes = {job.node for job in jobs if job}
    assert len(nodes) == 4 and {path.name for path in (home / "fleet").iterdir()} == nodes
    told = framebench(home, "fleet", "fleet")
    assert told.returncode in (0, 1, 3), told.stderr
    for kernel in ("matmul", "copy"):
        table = told.stdout.partition(f"time of the {kernel} kernel")[2]
        assert all(f"  {node} " in table for node in nodes), told.stdout
    exclude = [
        line
        for line in framebench(home, "slurm", "--suite", "cluster", "--fleet", "fleet").stdout.splitlines()
        if "--exclude" in line
    ]
    assert len(exclude) == (told.returncode == 1)
