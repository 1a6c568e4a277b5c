"""``docker run <image>`` alone: no spec, no host program, one record."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from framebench import images
from framebench.errors import UserError
from framebench.images import LocalImage
from framebench.images.make import engine
from framebench.records.versions import decode_record
from tests.requirement import require

pytestmark = pytest.mark.docker

ROOT = Path(__file__).parents[2]
HARDENED = ["--network", "none", "--read-only", "--tmpfs", "/tmp:exec", "--cap-drop", "ALL"]


@pytest.fixture(scope="module")
def image() -> LocalImage:
    try:
        engine.require_engine()
    except UserError as error:
        require("docker", False, str(error))
    return images.build(ROOT, images.load_matrix(ROOT).find("keras-jax-cpu"), print)


@pytest.mark.parametrize("flags", [[], HARDENED], ids=["alone", "closed in"])
def test_an_image_runs_one_trial_and_prints_its_record(image: LocalImage, flags: list[str]) -> None:
    command = [engine.client(), "run", "--rm", *flags, image.tag]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    record = decode_record(done.stdout)
    assert record.outcome.status == "ok", record.outcome
    assert record.timing is not None and len(record.timing.blocks) >= 5
    assert (record.image.name, record.image.config_digest) == (image.name, None)
    assert record.image.lock_sha256 == image.lock_sha256
    assert record.contender.slug == "keras-jax-eager-loop"
    assert record.software is not None and record.software.libraries == []  # no CUDA in a CPU image
    last = done.stderr.decode().splitlines()[-1]
    assert last.startswith(f"harness: ran keras-jax-eager-loop on {record.case.path} in {image.name}, ")
    assert last.endswith("; the record is on stdout")


@pytest.fixture
def changed(image: LocalImage, tmp_path: Path) -> Iterator[str]:
    """The image with one package more than its lock holds."""
    tag = "framebench-test-manifest:1"
    dockerfile = (
        f"FROM {image.tag}\nUSER 0:0\n"
        "RUN d=/opt/venv/lib/python3.11/site-packages/stowaway-1.0.dist-info && mkdir $d && "
        "printf 'Metadata-Version: 2.1\\nName: stowaway\\nVersion: 1.0\\n' > $d/METADATA\nUSER 1000:1000\n"
    )
    command = [engine.client(), "build", "--quiet", "--tag", tag, "-"]
    subprocess.run(command, input=dockerfile.encode(), capture_output=True, check=True)
    yield tag
    subprocess.run([engine.client(), "image", "rm", "--force", tag], capture_output=True, check=True)


def test_an_image_that_is_not_what_its_lock_says_makes_the_trial_invalid(changed: str) -> None:
    command = [engine.client(), "run", "--rm", "--network", "none", changed]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    outcome = decode_record(done.stdout).outcome
    assert (outcome.status, outcome.reason) == (
        "invalid",
        "manifest mismatch: stowaway 1.0 is installed, and the lock does not hold it",
    )
