"""The way of ``docker run --gpus``, without a GPU: an engine of the test's own, whose hook of NVIDIA's toolkit lets the
fake driver in, as the toolkit does: before the container's root is its own."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import docker
import msgspec
import numpy
import psutil
import pynvml
import pytest

from framebench.executors import machine
from framebench.executors.docker import CUDA_LABEL
from framebench.images import SPEC_VERSION_LABEL
from framebench.records import store
from harness.record import SPEC_VERSION
from tests.fake_nvml import GPU, Load, build
from tests.integration.gpu_rehearsal import CARD, assert_it_followed_the_steps, make_clone
from tests.requirement import require

pytestmark = pytest.mark.docker

IMAGE = "framebench-test-gpu:1"
PACKAGES = "/opt/packages"
LIBRARIES = "usr/lib/x86_64-linux-gnu"
INSIDE_LOAD = "/run/fake-load"

# What the engine calls before a container with a GPU starts, with the container's state on standard input.
HOOK = """#!{python}
import json, os, subprocess, sys
state = json.load(sys.stdin)
config = json.load(open(os.path.join(state["bundle"], "config.json")))
root = os.path.join(state["bundle"], config["root"]["path"])
variables = dict(one.split("=", 1) for one in config["process"]["env"])
with open({asked!r}, "a") as asked:
    print(variables["NVIDIA_VISIBLE_DEVICES"], variables["NVIDIA_DRIVER_CAPABILITIES"], file=asked)
for host, inside in {mounts!r}.items():
    place = root + inside
    subprocess.run(
        ["nsenter", "--target", str(state["pid"]), "--mount", "--", "sh", "-c",
         f"mkdir -p '{{os.path.dirname(place)}}' && touch '{{place}}' && mount --bind '{{host}}' '{{place}}'"],
        check=True,
    )
"""
CAMPAIGN = """
import sys
from pathlib import Path
import docker
from framebench.campaign import plan as planning, suites
from framebench.campaign.campaign import Campaign
from framebench.campaign.here import this_checkout
from framebench.executors import StackOn
from framebench.executors.docker import DockerExecutor
from harness.record import ImageRef

root, results, tag = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
executor = DockerExecutor(root)
digest = docker.from_env().images.get(tag).id
named = ImageRef(name="numpy-0-cu130-py311", config_digest=digest, lock_sha256="0" * 64, base_sha256="0" * 64)
image = executor.adopt(named, tag)
suite = suites.load(root, "contained")
campaign = Campaign(suite, executor, {StackOn("numpy", "gpu"): image}, this_checkout(root), results, "0" * 12)
plan = planning.make(
    suite,
    suite.expand(executor.machine().cores_allowed),
    suite.entrants(),
    seconds=lambda trial: 1.0,
    done=campaign.ledger.done,
    settled=campaign.ledger.settled,
    budget_s=None,
    seed=1,
)
for trial in plan.trials():
    print(campaign.runner.run(trial, print).outcome)
"""


class Engine(NamedTuple):
    """An engine that answers at ``host``; ``asked`` has a line for each container that was given GPUs."""

    host: str
    asked: Path

    @property
    def client(self) -> docker.DockerClient:
        return docker.DockerClient(base_url=self.host)


def answers(engine: Engine) -> bool:
    try:
        return bool(engine.client.ping())
    except docker.errors.DockerException:
        return False


def image_of(clone: Path) -> bytes:
    """A tar of this Python, what the harness imports, the harness of the clone, and the libraries that all are linked
    with."""
    executable = Path(sys.executable).resolve()
    library = Path(sysconfig.get_path("stdlib")).resolve()
    numpy_folder = Path(numpy.__file__).parent
    packages = [numpy_folder, numpy_folder.with_name("numpy.libs"), Path(pynvml.__file__)]
    packages += [Path(package.__file__).parent for package in (msgspec, psutil)]
    folders = [library, *(one for one in packages if one.is_dir())]
    shared = [path for folder in folders for path in folder.rglob("*.so*")]
    linked = subprocess.run(["ldd", executable, *shared], capture_output=True, text=True).stdout
    needed = sorted({word for word in linked.split() if word.startswith("/") and not word.endswith(":")})
    outside = [path for path in needed if not any(Path(path).is_relative_to(one) for one in folders)]

    def lean(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        left_out = {"test", "tests", "idlelib", "site-packages", "dist-packages", "__pycache__"}
        return None if left_out & set(Path(entry.name).parts) else entry

    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", dereference=True) as tar:
        tar.add(executable, str(executable))
        tar.add(library, str(library), filter=lean)
        for path in outside:
            tar.add(path, path)
        for package in packages:
            tar.add(package, f"{PACKAGES}/{package.name}", filter=lean)
        tar.add(clone / "harness", "/opt/framebench/harness", filter=lean)
    return archive.getvalue()


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    missing = [name for name in ("dockerd", "nsenter", "unshare") if shutil.which(name) is None]
    require("dockerd", not missing, f"there is no {' and no '.join(missing)} on the PATH")
    require("dockerd", os.geteuid() == 0, "only root may start an engine")
    folder = tmp_path_factory.mktemp("engine")
    library = build(folder / "driver", follows=INSIDE_LOAD) / "libnvidia-ml.so.1"
    load = Load(folder / "load")
    mounts = {str(library): f"/{LIBRARIES}/libnvidia-ml.so.1", str(load.path): INSIDE_LOAD}
    cuda = shutil.copy(library, folder / "libcuda.so.1")
    mounts[str(cuda)] = f"/{LIBRARIES}/libcuda.so.1"
    made = Engine(f"unix://{folder}/s", folder / "asked")
    hook = folder / "bin" / "nvidia-container-runtime-hook"
    hook.parent.mkdir()
    hook.write_text(HOOK.format(python=Path(sys.executable).resolve(), asked=str(made.asked), mounts=mounts))
    hook.chmod(0o755)
    # a network of its own: a second engine in ours would remove the first one's bridge
    command = ["unshare", "--net", "dockerd", f"--host={made.host}", "--bridge=none", "--iptables=false"]
    command += [f"--data-root={folder}/data", f"--exec-root={folder}/exec", f"--pidfile={folder}/pid"]
    command += [
        "--containerd-namespace=framebench-test",
        "--containerd-plugins-namespace=framebench-test-plugins",
    ]
    with (folder / "log").open("wb") as log:
        daemon = subprocess.Popen(
            [*command, "--ip6tables=false"],
            env=os.environ | {"PATH": f"{hook.parent}:{os.environ['PATH']}"},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        ends = time.monotonic() + 120
        while not answers(made):
            assert daemon.poll() is None and time.monotonic() < ends, (folder / "log").read_text()
            time.sleep(0.2)
        yield made
    finally:
        daemon.terminate()
        daemon.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def test_a_trial_in_a_container_runs_on_the_gpu_that_was_asked_for(engine: Engine, tmp_path: Path) -> None:
    make_clone(tmp_path / "clone")
    client = engine.client
    client.api.import_image_from_data(
        image_of(tmp_path / "clone"),
        repository=IMAGE.partition(":")[0],
        tag=IMAGE.partition(":")[2],
        changes=[
            f"ENTRYPOINT {json.dumps([str(Path(sys.executable).resolve()), '-m', 'harness'])}",
            f"ENV PYTHONPATH=/opt/framebench:{PACKAGES}",
            f"LABEL {CUDA_LABEL}=13.0.96 {SPEC_VERSION_LABEL}={SPEC_VERSION}",
        ],
    )
    driver = build(tmp_path / "driver")
    done = subprocess.run(
        [sys.executable, "-P", "-c", CAMPAIGN, str(tmp_path / "clone"), str(tmp_path / "results"), IMAGE],
        env=os.environ
        | {"PYTHONPATH": str(tmp_path / "clone"), "LD_LIBRARY_PATH": str(driver), "DOCKER_HOST": engine.host},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    ((_, record),) = store.load([tmp_path / "results"]).records
    assert_it_followed_the_steps(record)
    assert record.provenance.executor == "docker" and record.image.config_digest
    assert record.provenance.host_id.startswith(f"{machine.host_id()}-{CARD}-")
    assert engine.asked.read_text().splitlines() == [f"{GPU} compute,utility"]
