"""Somebody's own wheel in a real image: it is imported there, its lock says so, and the plain image stays."""

from __future__ import annotations

import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from framebench import images
from framebench.errors import UserError
from framebench.executors import StackOn
from framebench.executors.docker import DockerExecutor
from framebench.images.fetch.wheels import stored
from framebench.images.locks import check_lock
from framebench.images.make import engine
from framebench.records import store
from harness.record import Case, Contender, ImageRef, Protocol, Record
from tests.record_factory import make_record
from tests.requirement import require
from tests.unit.test_executor_process import make_spec

pytestmark = pytest.mark.docker

ROOT = Path(__file__).parents[2]
STACK, PACKAGE, LOCAL = "jax", "optax", "+mine"


def rebuilt(wheel: Path, folder: Path) -> Path:
    """The wheel as somebody's build of the same version with a local label, whose ``__version__`` tells it."""
    name, version, *tags = wheel.name.removesuffix(".whl").split("-")
    own = folder / "-".join([name, version + LOCAL, *tags])
    info, renamed = f"{name}-{version}.dist-info/", f"{name}-{version}{LOCAL}.dist-info/"
    with zipfile.ZipFile(wheel) as source, zipfile.ZipFile(f"{own}.whl", "w") as target:
        for member in source.namelist():
            data = source.read(member)
            if member == f"{info}METADATA":
                data = data.replace(
                    f"\nVersion: {version}\n".encode(), f"\nVersion: {version}{LOCAL}\n".encode()
                )
            if member == f"{name}/__init__.py":
                data += b'\n__own__ = "own build"\n'
            if member == f"{info}RECORD":  # without hashes, which a build may leave out
                lines = data.decode().splitlines()
                data = "".join(f"{line.split(',')[0].replace(info, renamed)},,\n" for line in lines).encode()
            target.writestr(member.replace(info, renamed), data)
    return Path(f"{own}.whl")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        engine.require_engine()
    except UserError as error:
        require("docker", False, str(error))
    row = images.load_matrix(ROOT).find(f"{STACK}-cpu")
    images.fetch_wheels(ROOT, row, print)
    locked = next(one for one in check_lock(ROOT, row) if one.pin.startswith(f"{PACKAGE}=="))
    file = stored(ROOT, locked)
    assert file is not None
    return rebuilt(file, tmp_path_factory.mktemp("own"))


@pytest.fixture(scope="module")
def executor(wheel: Path) -> DockerExecutor:
    return DockerExecutor(ROOT, own_wheels=images.read_wheels([wheel]))


@pytest.fixture(scope="module")
def image(executor: DockerExecutor) -> Iterator[ImageRef]:
    made = executor.prepare([StackOn(STACK)], print)[StackOn(STACK)]
    assert isinstance(made, ImageRef)
    yield made
    short = (made.config_digest or "").removeprefix("sha256:")[:12]
    tags = [f"framebench/{made.name}:{tag}" for tag in ("latest", short)]
    subprocess.run([engine.client(), "image", "rm", *tags], capture_output=True)
    subprocess.run([engine.client(), "volume", "rm", f"framebench-cache-{short}"], capture_output=True)


def test_the_image_holds_the_wheel_in_place_of_the_locked_one(image: ImageRef, wheel: Path) -> None:
    ask = "import optax, importlib.metadata as m; print(optax.__own__, m.version('optax'))"
    tag = f"framebench/{image.name}:latest"
    command = [engine.client(), "run", "--rm", "--network", "none", "--entrypoint", "python", tag, "-c", ask]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.startswith("own build ") and said.strip().endswith(LOCAL)
    (build,) = image.own_builds
    assert build.file == wheel.name and build.version.endswith(LOCAL)


def test_a_trial_runs_in_it_and_its_record_says_so(
    executor: DockerExecutor, image: ImageRef, tmp_path: Path
) -> None:
    spec = msgspec.structs.replace(
        make_spec(),
        kind="memory",
        case=Case(workload="mlp", preset="smoke", task="train", batch=32, cores=1),
        contender=Contender(stack=STACK, mode="compiled"),
        protocol=Protocol(name="test"),
        image=image,
        provenance=make_record().provenance,
        timeout_s=300.0,
    )
    record = executor.run(spec, print)
    assert isinstance(record, Record) and record.outcome.status == "ok", record  # the lock in it fits, too
    assert record.image == image
    assert record.software is not None and record.software.packages[PACKAGE].endswith(LOCAL)
    assert store.load([store.write(record, tmp_path)], published=tmp_path).faults != []


def test_the_plain_image_is_another_and_keeps_its_name(image: ImageRef) -> None:
    plain = images.build(ROOT, images.load_matrix(ROOT).find(f"{STACK}-cpu"), print)
    assert plain.config_digest != image.config_digest and plain.lock_sha256 != image.lock_sha256
    details = engine.inspect(f"framebench/{STACK}-cpu:latest")
    assert details is not None and images.identity(details) == plain.config_digest
