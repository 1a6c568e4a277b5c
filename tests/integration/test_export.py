"""The exported archive: whole or not there, its checksum right, and the very image in Docker and rootless Podman."""

from __future__ import annotations

import getpass
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from framebench import images
from framebench.campaign import suites
from framebench.errors import UserError
from framebench.images.make import engine
from framebench.images.ship.image_file import Exported
from framebench.records import store
from framebench.records.versions import encode_spec
from harness.record import Contender, ImageRef, Record, TrialSpec
from tests.ctrl_c import heed_ctrl_c
from tests.record_factory import make_record
from tests.requirement import require

ROOT = Path(__file__).parents[2]
USER = f"framebench-{os.getpid()}"


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    try:
        engine.require_engine()
    except UserError as error:
        require("docker", False, str(error))
    row = images.load_matrix(ROOT).find("keras-jax-cpu")
    return images.export(ROOT, row, tmp_path_factory.mktemp("exported") / "image.tar", print)


def test_the_checksum_beside_it_is_right(exported: Exported) -> None:
    command = ["sha256sum", "--check", f"{exported.path.name}.sha256"]
    done = subprocess.run(command, cwd=exported.path.parent, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"{exported.path.name}: OK\n")


def test_exported_twice_it_is_the_same_file(exported: Exported, tmp_path: Path) -> None:
    row = images.load_matrix(ROOT).find("keras-jax-cpu")
    again = images.export(ROOT, row, tmp_path / exported.path.name, print)
    sums = [path.with_name(f"{path.name}.sha256").read_text() for path in (again.path, exported.path)]
    assert sums[0] == sums[1]


def test_docker_loads_it_as_the_same_image(exported: Exported) -> None:
    was_here = engine.inspect(exported.tag) is not None
    if was_here:
        engine.docker("image", "rm", exported.tag)
    engine.docker("load", "--quiet", "--input", str(exported.path))
    details = engine.inspect(exported.tag)
    assert details and images.identity(details) == exported.config_digest
    if not was_here:
        engine.docker("image", "rm", exported.tag)


def test_ctrl_c_leaves_no_half_file(tmp_path: Path, exported: Exported) -> None:
    command = [sys.executable, "-m", "framebench.cli", "export", "keras-jax-cpu"]
    command += ["--output", str(tmp_path / "image.tar")]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=heed_ctrl_c,
    )
    while not list(tmp_path.iterdir()):
        assert process.poll() is None
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate()
    assert (process.returncode, list(tmp_path.iterdir())) == (130, []), said
    assert said.endswith("stopped\n")


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    row = images.load_matrix(ROOT).find("keras-jax-cpu")
    with pytest.raises(UserError, match="there is no folder"):
        images.export(ROOT, row, tmp_path / "none" / "image.tar", print)


# --- rootless Podman ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def podman(exported: Exported) -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    """Podman of a plain user that has the archive loaded; as root, of a user made for it."""
    require("podman", shutil.which("podman") is not None, "podman is not installed")
    name, become = getpass.getuser(), []
    if made := os.geteuid() == 0:
        subprocess.run(["useradd", "--create-home", USER], check=True)
        name, become = USER, ["runuser", "--user", USER, "--"]
    account = pwd.getpwnam(name)
    home = Path(account.pw_dir)
    folder = home / ".framebench-test"
    environment = {"HOME": str(home), "XDG_RUNTIME_DIR": str(folder), "PATH": os.environ["PATH"]}

    def run(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[str]:
        # runc and cgroupfs: crun refuses machines that have both versions of cgroups; overlay: not a copy a layer
        command = [
            "podman",
            "--runtime",
            "runc",
            "--cgroup-manager",
            "cgroupfs",
            "--storage-driver",
            "overlay",
        ]
        command += ["--root", str(folder / "storage"), "--runroot", str(folder / "run"), *arguments]
        settings = [f"{key}={value}" for key, value in environment.items()]
        done = subprocess.run(
            [*become, "env", "--ignore-environment", *settings, *command],
            input=stdin,
            capture_output=True,
            cwd=home,
        )
        out, err = done.stdout.decode(), done.stderr.decode()
        return subprocess.CompletedProcess(done.args, done.returncode, out, err)

    try:
        folder.mkdir(mode=0o700)
        os.chown(folder, account.pw_uid, account.pw_gid)
        archive = Path(shutil.copy(exported.path, folder / "image.tar"))
        os.chown(archive, account.pw_uid, account.pw_gid)
        done = run("load", "--quiet", "--input", str(archive))
        assert done.returncode == 0, done.stderr
        yield run
    finally:
        run("system", "reset", "--force")
        run("system", "migrate")  # ends the process that keeps the user's name space
        shutil.rmtree(folder)
        if made:
            subprocess.run(["userdel", "--remove", USER], check=True, stderr=subprocess.DEVNULL)


def test_podman_has_the_same_image(
    podman: Callable[..., subprocess.CompletedProcess[str]], exported: Exported
) -> None:
    assert json.loads(podman("info", "--format", "json").stdout)["host"]["security"]["rootless"] is True
    done = podman("image", "inspect", "--format", "{{.Id}}", f"docker.io/{exported.tag}")
    assert f"sha256:{done.stdout.strip()}" == exported.config_digest, done.stderr


def test_podman_runs_a_trial_in_it(
    podman: Callable[..., subprocess.CompletedProcess[str]], exported: Exported
) -> None:
    suite, known = suites.load(ROOT, "smoke"), make_record()
    spec = TrialSpec(
        kind="timing",
        trial_id=store.new_trial_id(),
        campaign_id=known.campaign_id,
        round=1,
        seed=1,
        case=next(case for case in suite.expand(1) if case.workload == "mlp"),
        contender=Contender(stack="keras-jax", mode="compiled", variant="loop"),
        protocol=suite.protocol,
        image=ImageRef(name="keras-jax", config_digest=exported.config_digest),
        provenance=known.provenance,
        cache_dir="/tmp/compile",
    )
    hardened = ["--rm", "--interactive", "--network", "none", "--read-only", "--cap-drop", "ALL"]
    hardened += ["--security-opt", "no-new-privileges", "--tmpfs", "/tmp:exec,mode=1777"]
    done = podman("run", *hardened, f"docker.io/{exported.tag}", stdin=encode_spec(spec))
    assert done.returncode == 0, done.stderr
    record = msgspec.json.decode(done.stdout, type=Record)
    assert record.outcome.status == "ok", record.outcome
    assert (record.trial_id, record.timing is not None) == (spec.trial_id, True)
