"""The doctor says yes or no to each part, with the reason, and never fails."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from rich.console import Console

from framebench.campaign.preparation import prepare
from framebench.campaign.request import Request, resolve
from framebench.commands import doctor
from framebench.errors import UserError
from framebench.executors import StackOn, Unavailable, machine
from framebench.records import store
from harness.telemetry import proc
from tests.unit.selftest_documents import selftest

ROOT = Path(__file__).parents[2]


def examine(results: Path) -> list[str]:
    said = io.StringIO()
    assert doctor.run(ROOT, results, Console(file=said, soft_wrap=True)) == 0
    return said.getvalue().splitlines()


def line(lines: list[str], *words: str) -> str:
    return next(line for line in lines if all(word in line for word in words))


def test_every_part_is_answered(tmp_path: Path) -> None:
    lines = examine(tmp_path / "nothing")
    assert lines[0].startswith(machine.host_id())
    for title in ("where trials can run", "processor", "GPU", "trust"):
        assert title in lines
    for finding in lines[1:]:
        assert not finding.startswith("  ") or finding[2:6] in ("yes ", "no  ")
    assert line(lines, "resident memory").startswith("  yes")
    assert line(lines, "A/A noise").startswith("  no")


def test_a_kernel_without_run_queues_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = proc.read
    monkeypatch.setattr(proc, "read", lambda path: None if str(path).endswith("schedstat") else real(path))
    assert line(examine(tmp_path), "wait for a core").startswith("  no")


def test_no_engine_is_said_with_the_mend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    found = line(examine(tmp_path), "in containers")
    assert found.startswith("  no") and "engine" in found.lower()


class EngineElsewhere:
    """What the doctor asks of a Docker executor; a real engine far away is no part of a test."""

    def __init__(self, root: Path) -> None: ...

    def machine(self) -> machine.Machine:
        here = machine.this_machine()
        return here._replace(cpu_model=None, cores_allowed=here.cores_allowed + 5, architecture="aarch64")

    def refusal(self, wanted: StackOn, count: int = 1) -> Unavailable | None:
        return None


def test_an_engine_on_another_machine_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "DockerExecutor", EngineElsewhere)
    monkeypatch.setattr(doctor.engine, "client", lambda: None)
    found = line(examine(tmp_path), "in containers")
    cores = machine.this_machine().cores_allowed + 5
    assert f"another machine (a processor of type aarch64, {cores} cores," in found
    monkeypatch.setattr(EngineElsewhere, "machine", lambda self: machine.this_machine())
    assert "another machine" not in line(examine(tmp_path), "in containers")


def test_the_newest_self_test_of_this_host_is_said(tmp_path: Path) -> None:
    store.write_selftest(selftest(host_id=machine.host_id()), tmp_path)
    lines = examine(tmp_path)
    assert line(lines, "self-test of 2026-11-24").startswith("  no")  # one of its checks failed
    assert line(lines, "observer effect")
    assert line(lines, "3 %", "10 rounds").startswith("  yes")


def test_a_processor_that_no_image_is_for_is_said_by_the_doctor_and_the_plan_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine.platform, "machine", lambda: "aarch64")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    found = line(examine(tmp_path), "in virtual environments")
    assert found.startswith("  no") and "is for amd64 processors" in found and "has arm64" in found
    said: list[str] = []
    resolved = resolve(Request(ROOT, "smoke", "none", "venv", ("mlp/*",), (), tmp_path), said.append)
    assert resolved.nothing_here and not resolved.ready
    with pytest.raises(UserError, match=r"nothing of suite smoke can run here: .* is for amd64 processors"):
        prepare(resolved, said.append)


def test_without_linux_the_doctor_says_no_where_run_will(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for missing in ("sched_getaffinity", "sched_setaffinity", "pipe2"):
        monkeypatch.delattr(os, missing)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    lines = examine(tmp_path)
    assert line(lines, "works on Linux only").startswith("  no")
    monkeypatch.undo()


def test_what_git_refuses_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert line(examine(tmp_path), "records with a commit").startswith("  yes")
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    found = line(examine(tmp_path), "records with a commit")
    assert found.startswith("  no") and "safe.directory" in found
