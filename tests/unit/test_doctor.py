"""The doctor says yes or no to each part, with the reason, and never fails."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from framebench.commands import doctor
from framebench.executors import machine
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
