"""A pack on a machine with Python, NumPy and no network: it measures, is cut, carries on, and its records come home."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from framebench.records import store
from tests import fake_nvml
from tests.integration.numpy_clone import add_suite, commit, copy_tree, framebench
from tests.requirement import require

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
MEGABYTES = 60


class Machine(NamedTuple):
    """A folder with a bare Python in it, and the pack that was carried there from the clone ``home``."""

    home: Path
    folder: Path
    python: Path
    pack: Path
    commit: str

    def command(self, *arguments: str) -> list[str]:
        alone = ["unshare", "--map-root-user", "--net"]  # no network at all, where that is allowed
        offline = alone if subprocess.run([*alone, "true"], capture_output=True).returncode == 0 else []
        return [*offline, str(self.python), str(self.pack), *arguments]

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        nowhere = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), **nowhere, **variables}
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str, **variables: str) -> str:
        process = self.start(*arguments, **variables)
        said, _ = process.communicate(timeout=300)
        assert process.returncode == 0, said
        return said

    @property
    def records(self) -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in (self.folder / "pack-results").rglob("*.json")}

    @property
    def archive(self) -> Path:
        [archive] = self.folder.glob("framebench-results-*.tar.gz")
        return archive


def clone(folder: Path) -> str:
    """A clone whose suite NumPy alone can run; the commit."""
    copy_tree(folder)
    add_suite(folder, "bare", devices=["cpu", "gpu"])
    with (folder / "harness" / "canaries.py").open("a") as canaries:
        canaries.write('\n\nSIZES["gpu"] = SIZES["cpu"]  # a CPU plays the GPU\n')
    return commit(folder)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    home, there = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("there")
    commit = clone(home)
    made = framebench(home, "pack", "--suite", "bare", "-o", str(there / "pack.pyz"))
    require("wheels", "pip could not fetch" not in made.stderr, made.stderr)
    assert made.returncode == 0, made.stdout + made.stderr
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(there / "bare")], check=True)
    [numpy] = (home / "build" / "pack").rglob("numpy-*.whl")
    with zipfile.ZipFile(numpy) as inside:
        inside.extractall(there / "bare" / "lib" / f"python{PYTHON}" / "site-packages")
    yield Machine(home, there, there / "bare" / "bin" / "python", there / "pack.pyz", commit)
    for folder in (home, there):
        shutil.rmtree(folder)


def test_it_is_small_enough_to_be_carried(machine: Machine) -> None:
    assert machine.pack.stat().st_size < MEGABYTES * 1_000_000


def test_a_campaign_that_is_killed_and_ended_carries_on_and_comes_home(
    machine: Machine, tmp_path: Path
) -> None:
    first = machine.start("run", "--budget", "none")
    try:
        while not machine.records:
            assert first.poll() is None, first.stdout and first.stdout.read()
            time.sleep(0.02)
    finally:
        first.send_signal(signal.SIGKILL)
        first.wait()
    kept = machine.records

    second = machine.start("run", "--budget", "none")
    while len(machine.records) == len(kept):
        assert second.poll() is None, second.stdout and second.stdout.read()
        time.sleep(0.02)
    second.send_signal(signal.SIGTERM)
    said, _ = second.communicate(timeout=60)
    assert second.returncode == 130, said
    assert "stopped; the same command carries on" in said and machine.archive.exists()
    assert {path: machine.records[path] for path in kept} == kept

    said = machine.run("run", "--budget", "none")
    records = [record for _, record in store.load([machine.folder / "pack-results"]).records]
    timed = [record for record in records if record.outcome.status == "ok"]
    assert len(timed) == 6, said
    assert {record.provenance.git_commit for record in timed} == {machine.commit}
    assert {(record.provenance.executor, record.image.name) for record in timed} == {("system", None)}
    assert {record.provenance.dirty for record in timed} == {False}

    home = tmp_path / "results"
    home.mkdir()
    done = framebench(machine.home, "unpack", str(machine.archive), "--results", str(home))
    assert done.returncode == 0, done.stderr
    assert f"{len(records)} records stored" in done.stdout
    checked = framebench(machine.home, "check", str(home))
    assert checked.returncode == 0
    *warnings, last = checked.stdout.splitlines()  # a busy machine's times may be doubted, too
    assert any("no trial of the gate belongs to this time" in one for one in warnings)  # this suite has none
    assert last == "no record is refused", warnings
    again = framebench(machine.home, "unpack", str(machine.archive), "--results", str(home))
    assert f"0 records stored in {home}; {len(records)} were there already" in again.stdout

    said = machine.run("run", "--budget", "none")
    assert "everything in this plan is done already" in said


def test_trials_see_the_machines_numpy_and_of_the_pack_what_the_harness_imports(machine: Machine) -> None:
    machine.run("run", "--help")
    [unpacked] = (machine.folder / ".cache" / "framebench" / "packs").iterdir()
    look = (
        "import os, runpy, sys\n"
        f"sys.argv = [{str(machine.pack)!r}, '--help']\n"
        "try: runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "except SystemExit: pass\n"
        "import numpy, scipy\n"
        "print('numpy', numpy.__file__); print('scipy', scipy.__file__); print('trials', os.environ['PYTHONPATH'])\n"
    )
    done = subprocess.run(
        [str(machine.python), "-c", look],
        env={"HOME": str(machine.folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    seen = dict(
        line.split(" ", 1)
        for line in done.stdout.splitlines()
        if line.startswith(("numpy", "scipy", "trials"))
    )
    assert seen["numpy"].startswith(str(machine.folder / "bare"))
    assert seen["scipy"].startswith(str(unpacked))
    assert [Path(part).name for part in seen["trials"].split(":")] == [
        *("absl-py", "msgspec", "nvidia-ml-py", "optax", "psutil")
    ]


def test_a_changed_file_of_the_unpacked_tree_makes_its_records_dirty(machine: Machine) -> None:
    machine.run("run", "--help")
    [unpacked] = (machine.folder / ".cache" / "framebench" / "packs").iterdir()
    suite = unpacked / "tree" / "suites" / "bare.toml"
    before = suite.read_text()
    suite.write_text(before.replace('title = "', 'title = "Another: '))
    try:
        said = machine.run("run", "--budget", "none", "--rounds", "1")
    finally:
        suite.write_text(before)
    assert "marked dirty" in said


def test_a_gpu_is_found_by_its_driver_and_is_in_the_record(machine: Machine) -> None:
    driver = fake_nvml.build(machine.folder / "driver")
    load = machine.folder / "load"
    fake_nvml.Load(load)
    case = ["--case", "*-gpu1-*", "--contender", "numpy-eager", "--rounds", "1"]
    machine.run("run", "--budget", "none", *case, LD_LIBRARY_PATH=str(driver), FAKE_LOAD=str(load))
    records = [record for _, record in store.load([machine.folder / "pack-results"]).records]
    [trial] = [record for record in records if record.case.device == "gpu"]
    assert trial.outcome.status == "ok"
    assert trial.hardware and [gpu.name for gpu in trial.hardware.gpus] == ["Fake GPU 0"]


def test_the_archive_holds_records_by_their_places_alone(machine: Machine) -> None:
    machine.run("run", "--budget", "none")
    with tarfile.open(machine.archive) as tar:
        assert all(entry.isreg() and len(Path(entry.name).parts) == 5 for entry in tar)
