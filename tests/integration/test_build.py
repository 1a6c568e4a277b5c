"""A real image from the repository's own locks: built without network, run hardened, remade alike."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from framebench import images
from framebench.errors import UserError
from framebench.images import BuiltImage, engine
from harness.record import SPEC_VERSION
from tests.requirement import require

pytestmark = pytest.mark.docker

ROOT = Path(__file__).parents[2]
HARDENED = ["--rm", "--network", "none", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL"]
HARDENED += ["--security-opt", "no-new-privileges"]


@pytest.fixture(scope="module")
def image() -> BuiltImage:
    try:
        engine.require_engine()
    except UserError as error:
        require("docker", False, str(error))
    return images.build(ROOT, images.load_matrix(ROOT).find("keras-jax-cpu"), print)


def run(image: BuiltImage, script: str, *flags: str) -> subprocess.CompletedProcess[str]:
    command = [engine.client(), "run", *HARDENED, *flags, "--entrypoint", "python", image.tag, "-c", script]
    return subprocess.run(command, text=True, capture_output=True)


def test_keras_on_jax_imports_in_a_hardened_container(image: BuiltImage) -> None:
    done = run(
        image, "import keras; print(keras.__version__, keras.backend.backend())", "-e", "KERAS_BACKEND=jax"
    )
    assert (done.stdout, done.returncode) == ("3.15.1 jax\n", 0), done.stderr


def test_the_user_is_not_root_and_only_the_caches_are_theirs(image: BuiltImage) -> None:
    script = "import os; print(os.getuid(), os.stat('/cache').st_uid, os.stat('/opt/framebench').st_uid)"
    assert run(image, script).stdout.split() == ["1000", "1000", "0"]


def test_the_harness_in_the_image_is_the_one_of_the_checkout(image: BuiltImage) -> None:
    script = "import harness.record as r; print(r.__file__, r.SPEC_VERSION)"
    assert run(image, script).stdout.split() == ["/opt/framebench/harness/record.py", str(SPEC_VERSION)]
    details = engine.inspect(image.tag)
    assert details is not None
    labels = details["Config"]["Labels"]
    assert labels["org.framebench.harness-tree-sha256"] == image.harness_tree_sha256
    assert labels["org.framebench.spec-version"] == str(SPEC_VERSION)


def test_found_by_identity_and_by_nothing_else(image: BuiltImage) -> None:
    tag = images.find_by_digest(ROOT, image.config_digest)
    assert tag is not None
    details = engine.inspect(tag)
    assert details is not None and images.identity(details) == image.config_digest
    assert images.find_by_digest(ROOT, "sha256:" + "0" * 64) is None


def test_an_unknown_commit_is_a_sentence(image: BuiltImage) -> None:
    with pytest.raises(UserError, match="git has no containers/ and harness/ of commit 0123456"):
        images.rebuild_at(ROOT, "0123456", image.name, print)


@pytest.mark.slow
def test_two_clean_builds_have_one_digest(
    image: BuiltImage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, umask: None
) -> None:
    """Another folder, umask and store, and nothing from the engine's build cache: base and packages anew."""
    clone = tmp_path / "clone"
    clone.mkdir()
    subprocess.run(["cp", "-r", "containers", "harness", str(clone)], cwd=ROOT, check=True)
    uncached = engine.docker

    def without_cache(command: str, *rest: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return uncached(command, *(["--no-cache"] if command == "build" else []), *rest, check=check)

    monkeypatch.setattr(engine, "docker", without_cache)
    said: list[str] = []
    again = images.build(clone, images.load_matrix(clone).find(image.name), said.append)
    assert any("Debian packages" in line and "installing" in line for line in said)
    assert again.packages_digest == image.packages_digest
    assert (again.harness_tree_sha256, again.config_digest) == (
        image.harness_tree_sha256,
        image.config_digest,
    )


@pytest.fixture
def umask() -> Iterator[None]:
    old = os.umask(0o002)
    yield
    os.umask(old)
