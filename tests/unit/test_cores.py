"""How many cores a process may use: affinity and every quota above it, on whatever system."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest

from framebench.errors import UserError
from framebench.executors import connection
from framebench.executors.choose import choose
from framebench.executors.machine import this_machine
from framebench.executors.stopping import StopRequest
from framebench.executors.venv import VenvExecutor
from framebench.images import load_matrix
from framebench.selftest.campaigns import SelfTestCampaigns
from harness import cores

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of four cores without quotas; the process is in the root group."""
    monkeypatch.setattr(cores, "ROOT", tmp_path)
    monkeypatch.setattr(cores, "MEMBERSHIP", tmp_path / "membership")
    monkeypatch.setattr(cores, "pinned_to", lambda: [0, 1, 2, 3])
    (tmp_path / "membership").write_text("0::/\n")
    return tmp_path


@pytest.mark.parametrize(
    ("limit", "allowed"),
    [
        ("max 100000", 4),
        ("50000 100000", 1),
        ("150000 100000", 2),
        ("200000 100000", 2),
        ("900000 100000", 4),
    ],
)
def test_half_a_core_is_one_core(groups: Path, limit: str, allowed: int) -> None:
    (groups / "cpu.max").write_text(limit)
    assert cores.cores_allowed() == allowed == this_machine().cores_allowed


def test_the_quota_of_a_slice_holds_for_what_is_in_it(groups: Path) -> None:
    (groups / "membership").write_text("0::/user.slice/run.scope\n")
    (groups / "user.slice" / "run.scope").mkdir(parents=True)
    (groups / "user.slice" / "cpu.max").write_text("150000 100000")
    (groups / "user.slice" / "run.scope" / "cpu.max").write_text("max 100000")
    assert cores.cpu_quota() == 1.5 and cores.cores_allowed() == 2


def test_the_first_version_of_control_groups_has_its_own_files(groups: Path) -> None:
    (groups / "membership").write_text("4:memory:/elsewhere\n3:cpuacct,cpu:/box\n")
    (groups / "cpu" / "box").mkdir(parents=True)
    for folder, quota in ((groups / "cpu", "-1"), (groups / "cpu" / "box", "50000")):
        (folder / "cpu.cfs_quota_us").write_text(quota)
        (folder / "cpu.cfs_period_us").write_text("100000")
    assert cores.cpu_quota() == 0.5 and cores.cores_allowed() == 1


def test_a_system_that_does_not_pin_has_all_its_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("sched_getaffinity", "sched_setaffinity", "pipe2"):
        monkeypatch.delattr(os, name)
    assert len(cores.pinned_to()) == os.cpu_count()
    request = StopRequest()
    assert not request.take()
    request.make()
    assert request.take() and not request.take()


@pytest.mark.parametrize("wanted", ["venv", "system", "auto"])
def test_without_linux_processes_cannot_measure_and_one_sentence_says_so(
    wanted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "sched_setaffinity")
    monkeypatch.setattr(connection, "named", lambda: connection.Named(f"unix://{tmp_path}/absent.sock", None))
    with pytest.raises(UserError, match=r"works on Linux only; start a Docker engine") as error:
        choose(tmp_path, wanted, print)
    assert "\n" not in str(error.value) and sys.platform == "linux"


class Quiet:
    """A terminal that nobody looks at."""

    def stage(self, name: str, trials: int) -> AbstractContextManager[None]:
        return nullcontext()

    def advance(self) -> None: ...

    def say(self, line: str) -> None: ...


def test_what_makes_environments_itself_asks_for_the_platform_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(ROOT / "containers", tmp_path / "containers")
    row, said = load_matrix(ROOT).find("jax-cpu"), list[str]()
    with monkeypatch.context() as arm:
        arm.setattr(platform, "machine", lambda: "aarch64")
        with pytest.raises(
            UserError, match=r"has arm64; measure on .* `--image jax-\S+-arm64`\.$"
        ) as refused:
            VenvExecutor(tmp_path).prepare_row(row, said.append)
        assert "is for amd64 processors" in str(refused.value)
        arm.setattr(platform, "machine", lambda: "riscv64")
        with pytest.raises(UserError, match=r'has riscv64; measure on .* lock a row with arch = "riscv64"'):
            VenvExecutor(tmp_path).prepare_row(row, said.append)
    monkeypatch.delattr(os, "sched_setaffinity")
    with pytest.raises(UserError, match="works on Linux only"):
        VenvExecutor(tmp_path).prepare_row(row, said.append)
    with pytest.raises(UserError, match="works on Linux only"):
        SelfTestCampaigns(ROOT, tmp_path, Quiet())
    assert said == [] and [path.name for path in tmp_path.iterdir()] == ["containers"]
