"""A real image from the repository's own locks: built without network, run hardened, remade alike."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from framebench import images
from framebench.errors import UserError
from framebench.images import LocalImage
from framebench.images.audit.two_builds import compare_builds, copy_inputs, load_rebuilds
from framebench.images.make import engine
from framebench.images.make.assembly import assemble
from harness.record import SPEC_VERSION
from tests.ctrl_c import heed_ctrl_c
from tests.requirement import require

pytestmark = pytest.mark.docker

ROOT = Path(__file__).parents[2]
HARDENED = ["--rm", "--network", "none", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL"]
HARDENED += ["--security-opt", "no-new-privileges"]


@pytest.fixture(scope="module")
def image() -> LocalImage:
    try:
        engine.require_engine()
    except UserError as error:
        require("docker", False, str(error))
    return images.build(ROOT, images.load_matrix(ROOT).find("keras-jax-cpu"), print)


def run(image: LocalImage, script: str, *flags: str) -> subprocess.CompletedProcess[str]:
    command = [engine.client(), "run", *HARDENED, *flags, "--entrypoint", "python", image.tag, "-c", script]
    return subprocess.run(command, text=True, capture_output=True)


def test_keras_on_jax_imports_in_a_hardened_container(image: LocalImage) -> None:
    done = run(
        image, "import keras; print(keras.__version__, keras.backend.backend())", "-e", "KERAS_BACKEND=jax"
    )
    assert (done.stdout, done.returncode) == ("3.15.1 jax\n", 0), done.stderr


def test_the_user_is_not_root_and_only_the_caches_are_theirs(image: LocalImage) -> None:
    script = "import os; print(os.getuid(), os.stat('/cache').st_uid, os.stat('/opt/framebench').st_uid)"
    assert run(image, script).stdout.split() == ["1000", "1000", "0"]


def test_the_harness_in_the_image_is_the_one_of_the_checkout(image: LocalImage) -> None:
    script = "import harness.record as r; print(r.__file__, r.SPEC_VERSION)"
    assert run(image, script).stdout.split() == ["/opt/framebench/harness/record.py", str(SPEC_VERSION)]
    details = engine.inspect(image.tag)
    assert details is not None
    labels = details["Config"]["Labels"]
    assert labels["org.framebench.harness-tree-sha256"] == images.harness_tree_sha256(ROOT)
    assert labels["org.framebench.spec-version"] == str(SPEC_VERSION)


def test_found_by_identity_and_by_nothing_else(image: LocalImage) -> None:
    tag = images.find_by_digest(image.config_digest)
    assert tag is not None
    details = engine.inspect(tag)
    assert details is not None and images.identity(details) == image.config_digest
    assert images.find_by_digest("sha256:" + "0" * 64) is None


def test_an_unknown_commit_is_a_sentence(image: LocalImage) -> None:
    with pytest.raises(
        UserError, match=r"commit 0123456 is not in this clone .*`git fetch REPOSITORY 0123456`"
    ):
        images.rebuild_at(ROOT, "0123456", image.name, print)


def test_the_base_is_the_one_of_another_day(image: LocalImage) -> None:
    """The digest that a check on an earlier day recorded, for the same Debian packages, on whatever machine."""
    details = engine.inspect(image.tag)
    assert details is not None
    assert details["RootFS"]["Layers"][0] == load_rebuilds(ROOT)[image.name].layers[0].digest


@pytest.mark.slow  # three minutes; the other engine and the rebuilt image of a record are compared every time
def test_two_clean_builds_of_an_image_that_the_commit_chooses_are_identical(image: LocalImage) -> None:
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, text=True, capture_output=True, check=True)
    rows = [row for row in images.load_matrix(ROOT).rows if row.default and row.accelerator == "cpu"]
    row = rows[int(head.stdout, 16) % len(rows)]
    (rebuild,) = compare_builds(ROOT, [row], print)
    assert rebuild.identical, rebuild.difference
    if row.name == image.name:
        assert rebuild.config_digest == image.config_digest


@pytest.mark.slow
def test_buildah_makes_the_layers_that_docker_makes(tmp_path: Path) -> None:
    """The image with most in it: base, compiler and wheels."""
    require("buildah", shutil.which("buildah") is not None, "Buildah is not installed")
    row = images.load_matrix(ROOT).find("torch-cpu")
    docker = images.build(ROOT, row, print)
    copy_inputs(ROOT, tmp_path)
    said: list[str] = []
    buildah = assemble(tmp_path, tmp_path, row, said.append, "buildah")
    assert sum("with buildah" in line for line in said) == 2
    details = engine.inspect(docker.tag)
    assert details is not None
    assert details["RootFS"]["Layers"] == [layer.digest for layer in buildah.layers]
    assert docker.config_digest == buildah.config_digest


def in_the_engine() -> set[str]:
    """Ids of all images and containers."""
    listed = [engine.docker(*command, "--all", "--quiet").stdout for command in (("image", "ls"), ("ps",))]
    return {line for part in listed for line in part.split()}


def processes(words: str) -> list[str]:
    """Command lines that hold ``words``, of whatever container."""
    lines = (" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"]))
    return [line for line in lines if words in line]


@pytest.fixture
def checkout() -> Iterator[Path]:
    """A copy of this one where nothing was ever built; below ``build``, where every engine's client can write."""
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as folder:
        copy_inputs(ROOT, Path(folder, "checkout"))
        shutil.copytree(
            ROOT / "framebench",
            Path(folder, "checkout", "framebench"),
            ignore=shutil.ignore_patterns("__pycache__"),
        )
        yield Path(folder, "checkout")


@pytest.mark.parametrize(
    "at", [pytest.param("installing 86 Debian packages", marks=pytest.mark.slow), "unpacking"]
)
def test_ctrl_c_leaves_no_half_image_and_no_orphan(image: LocalImage, checkout: Path, at: str) -> None:
    before = in_the_engine()
    process = subprocess.Popen(
        [sys.executable, "-m", "framebench.cli", "build", image.name],
        cwd=checkout,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=heed_ctrl_c,
        start_new_session=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if at in line:
            break
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    said = process.communicate()[0]
    assert (process.returncode, said.splitlines()[-1]) == (130, "stopped"), said
    assert in_the_engine() == before
    ends = time.monotonic() + 60
    with pytest.raises(ProcessLookupError):  # nobody of the build's is left
        while time.monotonic() < ends:
            os.killpg(process.pid, 0)
            time.sleep(0.1)
    while orphans := processes("dpkg --force-unsafe-io"):
        assert time.monotonic() < ends, orphans
        time.sleep(0.2)
    store = checkout / "build" / "store" / "images"
    assert not list(store.glob("building-*")) and not (checkout / "build" / "images").exists()
    again = assemble(checkout, checkout, images.load_matrix(checkout).find(image.name), print)
    assert again.config_digest == image.config_digest
