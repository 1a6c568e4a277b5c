"""The way of a GPU into a container, without a GPU: CDI hands our fake driver and dummy device nodes to Podman."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from framebench import images
from framebench.errors import UserError
from framebench.executors.gpu import CDI_KIND, cdi_names
from framebench.images.make import engine
from framebench.records import store
from framebench.records.versions import decode_record, encode_spec
from tests.fake_nvml import BUSY_W, GPU, SECOND_GPU, Load, build
from tests.integration.gpu_rehearsal import CARD, assert_it_followed_the_steps, make_clone, make_pack
from tests.integration.numpy_clone import framebench
from tests.requirement import require
from tests.unit.test_harness_trials import spec

pytestmark = pytest.mark.docker  # which the image is built with

ROOT = Path(__file__).parents[2]
SPECIFICATIONS = Path("/run/cdi")  # this Podman looks in no other folder that may be made for a test
LIBRARIES = "/usr/lib/x86_64-linux-gnu"
INSIDE_LOAD = "/run/fake-load"
CONFINED = ["--rm", "--interactive", "--network", "none", "--read-only", "--tmpfs", "/tmp:exec"]
CONFINED += ["--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
CONFINED += ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"]  # its defaults may be above ours

# A CPU plays the GPU: the products of the canaries must have a CPU's size.
TRIAL = """
import sys
from harness import __main__ as harness, canaries
canaries.SIZES["gpu"] = canaries.SIZES["cpu"]
sys.exit(harness.main())
"""
LOOK = """
import json, os
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status") if ":\\t" in line)
print(json.dumps({"nodes": sorted(name for name in os.listdir("/dev") if name.startswith("nvidia")),
                  "driver": os.environ["NVIDIA_DRIVER_CAPABILITIES"], "capabilities": int(status["CapEff"], 16),
                  "user": os.getuid()}))
"""


def podman(*arguments: str) -> list[str]:
    """A command of Podman with the runtime that also knows hybrid control groups."""
    runtime = ["--runtime", "runc"] if shutil.which("runc") else []
    return ["podman", "--cgroup-manager", "cgroupfs", *runtime, *arguments]


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    """One of our images, from the engine that built it to Podman."""
    require("podman", shutil.which("podman") is not None, "there is no podman on the PATH")
    require("podman", os.geteuid() == 0, f"only root may write a CDI specification to {SPECIFICATIONS}")
    try:
        engine.require_engine()
    except UserError as error:
        require("docker", False, str(error))
    built = images.build(ROOT, images.load_matrix(ROOT).find("keras-jax-cpu"), print)
    saved = subprocess.Popen([engine.client(), "image", "save", built.tag], stdout=subprocess.PIPE)
    loaded = subprocess.run(
        podman("load", "--quiet"), stdin=saved.stdout, capture_output=True, check=True, text=True
    )
    assert saved.wait() == 0
    name = loaded.stdout.strip().rpartition(" ")[2]
    yield name
    subprocess.run(podman("image", "rm", name), capture_output=True, check=True)


@pytest.fixture
def load(tmp_path: Path) -> Load:
    return Load(tmp_path / "load")


@pytest.fixture
def specification(tmp_path: Path, load: Load) -> Iterator[None]:
    """Two GPUs whose load the test decides."""
    with described(build(tmp_path / "driver"), load, "FAKE_LOAD=/run/fake-load", "FAKE_DEVICES=2"):
        yield


@contextmanager
def described(driver: Path, load: Load, *variables: str) -> Iterator[None]:
    """Two GPUs, as NVIDIA's toolkit describes them: the driver's libraries, and a node for each."""
    library = driver / "libnvidia-ml.so.1"
    mounts = {f"{LIBRARIES}/libnvidia-ml.so.1": library, f"{LIBRARIES}/libcuda.so.1": library}
    mounts[INSIDE_LOAD] = load.path
    document: dict[str, Any] = {
        "cdiVersion": "0.5.0",
        "kind": CDI_KIND,
        "containerEdits": {
            "env": [*variables],
            "deviceNodes": [{"path": "/dev/nvidiactl", "hostPath": "/dev/null"}],
            "mounts": [
                {"hostPath": str(host), "containerPath": inside, "options": [access, "bind"]}
                for inside, host in mounts.items()
                for access in ["rw" if inside == INSIDE_LOAD else "ro"]
            ],
        },
        "devices": [
            {
                "name": uuid,
                "containerEdits": {
                    "env": [f"FAKE_CUDA_ORDER={number}"],  # the one GPU that CUDA shows
                    "deviceNodes": [{"path": f"/dev/nvidia{number}", "hostPath": "/dev/null"}],
                },
            }
            for number, uuid in enumerate((GPU, SECOND_GPU))
        ],
    }
    SPECIFICATIONS.mkdir(exist_ok=True)
    file = SPECIFICATIONS / f"framebench-test-{os.getpid()}.json"
    file.write_text(json.dumps(document))
    try:
        yield
    finally:
        file.unlink()


def in_container(image: str, code: str, data: bytes = b"") -> bytes:
    devices = [word for name in cdi_names([SECOND_GPU]) for word in ("--device", name)]
    command = podman("run", *CONFINED, *devices, "--entrypoint", "python", image, "-c", code)
    done = subprocess.run(command, input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.mark.usefixtures("specification")
def test_a_gpu_asked_for_by_uuid_is_the_one_that_the_record_tells_of(image: str, load: Load) -> None:
    trial = spec(task="infer", latency_steps=0, measure_s=2.0)  # a mean needs eight samples
    case = msgspec.structs.replace(trial.case, workload="planted", preset="selftest", device="gpu")
    with load.working():
        answer = in_container(image, TRIAL, encode_spec(msgspec.structs.replace(trial, case=case)))
    record = decode_record(answer)
    assert record.outcome.status == "ok", record.outcome
    assert record.telemetry is not None and record.telemetry.gpu_reason is None
    (watched,) = record.telemetry.gpus
    assert watched.uuid_sha256 == hashlib.sha256(SECOND_GPU.encode()).hexdigest()
    assert watched.metrics["power_instant"].mean == 2 * BUSY_W  # it is the second device
    assert record.software is not None and record.software.driver == "580.82.07"
    assert record.hardware is not None
    assert [gpu.name for gpu in record.hardware.gpus] == ["Fake GPU 0", "Fake GPU 1"]


@pytest.mark.usefixtures("specification")
def test_only_that_gpu_and_only_computing_are_let_in(image: str) -> None:
    assert json.loads(in_container(image, LOOK)) == {
        "nodes": ["nvidia1", "nvidiactl"],
        "driver": "compute,utility",
        "capabilities": 0,
        "user": 1000,
    }


def test_a_whole_campaign_goes_onto_a_card_in_a_container_and_comes_home(
    image: str, load: Load, tmp_path: Path
) -> None:
    """The pack in one of our images, the driver let in by CDI; its load is what the trials really do."""
    home, shared = tmp_path / "home", tmp_path / "shared"
    shared.mkdir(mode=0o777)
    shared.chmod(0o777)  # a container's user writes its records there
    make_clone(home)
    make_pack(home, shared / "pack.pyz")
    driver = build(tmp_path / "driver", follows=INSIDE_LOAD)
    with described(driver, load, "FAKE_PROCESSES=0"):
        devices = [word for name in cdi_names([GPU]) for word in ("--device", name)]
        command = podman("run", *CONFINED, *devices, "--volume", f"{shared}:/shared", "--workdir", "/shared")
        command += [
            "--env",
            "HOME=/tmp",
            "--env",
            "XDG_CACHE_HOME=/tmp/cache",
            "--entrypoint",
            "python",
            image,
        ]
        command += ["/shared/pack.pyz", "run", "--suite", "contained", "--budget", "none"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"GPU: Fake GPU 0, {GPU}" in done.stdout
    ((_, record),) = store.load([shared / "pack-results"]).records
    assert f"-{CARD}-" in record.provenance.host_id
    assert_it_followed_the_steps(record)
    checked = framebench(home, "check", str(shared / "pack-results")).stdout.splitlines()
    (refused,) = [line for line in checked if not line.startswith(("warning:", "note:"))]
    assert "no card of NVIDIA's" in refused
