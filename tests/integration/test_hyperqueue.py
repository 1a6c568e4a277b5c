"""The recipe for HyperQueue, run by a real server with one worker."""

from __future__ import annotations

import importlib.util
import os
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from framebench.records import store
from tests.integration.numpy_clone import add_recipe, add_suite, commit, copy_tree
from tests.requirement import require


@pytest.fixture
def server() -> Iterator[Path]:
    """Its folder; it has one worker, of two CPUs."""
    require("hyperqueue", importlib.util.find_spec("hyperqueue") is not None, "hyperqueue is not installed")
    from hyperqueue import LocalCluster
    from hyperqueue.cluster import WorkerConfig

    with LocalCluster(worker_config=WorkerConfig(cores=2)) as cluster:
        yield Path(cluster.cluster.server_dir)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    clone = tmp_path / "a clone"
    copy_tree(clone)
    add_suite(clone, "queue", batches=[1, 2])
    add_recipe(clone, "hyperqueue")
    commit(clone)
    return clone


def submit(home: Path, server: Path | str, *options: str) -> subprocess.CompletedProcess[str]:
    """The recipe; where it calls ``hq``, ``hq_submit`` makes the tasks."""
    stand_in = home.parent / "bin" / "hq"
    stand_in.parent.mkdir(exist_ok=True)
    words = shlex.join([sys.executable, str(Path(__file__).with_name("hq_submit.py"))])
    stand_in.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
    stand_in.chmod(0o755)
    return subprocess.run(
        [home / "contrib" / "hyperqueue" / "submit.sh", *options],
        cwd=home.parent,
        env=os.environ | {"PATH": f"{stand_in.parent}:{os.environ['PATH']}", "HQ_SERVER_DIR": str(server)},
        capture_output=True,
        text=True,
    )


def logs(home: Path) -> str:
    return "\n".join(path.read_text() for path in sorted(home.parent.glob("job-*/*.std*")))


def test_an_array_is_the_whole_campaign_and_submitted_again_measures_nothing(
    home: Path, server: Path
) -> None:
    done = submit(home, server, "2", "--suite", "queue", "--executor", "system")
    assert done.returncode == 0, done.stderr + logs(home)
    loaded = store.load([home / "results"])
    trials = Counter((one.case.batch, one.contender.slug, one.round) for _, one in loaded.records)
    assert loaded.faults == []
    assert set(trials) == {
        (batch, slug, number)
        for batch in (1, 2)
        for slug in ("numpy-eager", "numpy-eager-plus5")
        for number in (1, 2, 3)
    }
    assert set(trials.values()) == {1}
    assert "shard 1/2: 1 of 2 cases" in logs(home) and "shard 2/2: 1 of 2 cases" in logs(home)

    before = sorted((home / "results").rglob("*.json"))
    again = submit(home, server, "2", "--suite", "queue", "--executor", "system")
    assert again.returncode == 0, again.stderr + logs(home)
    assert logs(home).count("everything in this plan is done already") == 2
    assert sorted((home / "results").rglob("*.json")) == before


def test_a_task_that_cannot_measure_has_failed(home: Path, server: Path) -> None:
    done = submit(home, server, "2", "--suite", "nowhere", "--executor", "system")
    assert done.returncode == 1
    assert logs(home).count("nowhere") == 2, logs(home)


@pytest.mark.parametrize("count", ["", "0", "-1", "two", "--suite", "1 2"])
def test_a_count_that_is_none_is_refused_in_a_sentence(home: Path, count: str) -> None:
    done = submit(home, "no server", count)
    assert done.returncode == 2
    assert "say first into how many shards" in done.stderr
