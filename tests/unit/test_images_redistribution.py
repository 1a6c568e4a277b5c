"""No image is given on with a package whose terms nobody has read, or whose terms do not allow it."""

import json
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from framebench.cli import cli
from framebench.errors import UserError
from framebench.images.fetch.wheel_tags import is_for_here
from framebench.images.locks import check_lock, lock_path
from framebench.images.matrix import ImageRow, load_matrix
from framebench.images.ship.redistribution import load_terms, publishable, refuse_unchecked

ROOT = Path(__file__).parents[2]
ROW = ImageRow(
    name="torch-2.13.0-cpu-py311",
    stack="torch",
    default=True,
    accelerator="cpu",
    python="3.11",
    arch="amd64",
    base="small",
    packages=["numpy==2.4.6"],
)
READING = """
[[terms]]
licence = "{licence}"
redistributable = {yes}
condition = "{condition}"
source = "LICENSE in the wheel"
checked_by = "somebody"
checked_on = 2026-11-24
packages = [{packages}]
"""
FREE = READING.format(
    licence="MIT", yes="true", condition="keep it", packages='"numpy==*", "nvidia-nccl==2.30.7"'
)
CLOSED = READING.format(
    licence="EULA", yes="false", condition="not listed", packages='"nvidia-nvjitlink==13.*"'
)


def checkout(root: Path, pins: list[str], terms: str, section: str = "main") -> Path:
    (root / "containers" / "locks").mkdir(parents=True)
    (root / "containers" / "base").mkdir()
    lines = [f"{pin} --hash=sha256:{'0' * 64}  # 1 bytes\n" for pin in pins]
    lock_path(root, ROW).write_text("".join(lines))
    (root / "containers" / "redistribution.toml").write_text(terms)
    deb = f"bash=5.2 debian pool/{section}/b/bash/bash_5.2_amd64.deb 1 {'0' * 64}"
    own = ROOT / "containers" / "base" / f"{load_matrix(ROOT).find('keras-jax-cpu').base}.lock"
    head = own.read_text().partition("packages = [")[0]
    (root / "containers" / "base" / "small.lock").write_text(f'{head}packages = ["{deb}"]\n')
    return root


def test_read_and_allowed_passes(tmp_path: Path) -> None:
    refuse_unchecked(checkout(tmp_path, ["numpy==2.4.6", "nvidia-nccl==2.30.7"], FREE + CLOSED), ROW)


def test_unread_package_is_named(tmp_path: Path) -> None:
    root = checkout(tmp_path, ["numpy==2.4.6", "nvidia-cudnn-cu13==9.20.0.48"], FREE + CLOSED)
    with pytest.raises(
        UserError, match=r"nobody has read the terms of nvidia-cudnn-cu13==9\.20\.0\.48;"
    ) as said:
        refuse_unchecked(root, ROW)
    assert "numpy" not in str(said.value) and "torch-2.13.0-cpu-py311" in str(said.value)


def test_another_version_than_the_one_read_is_unread(tmp_path: Path) -> None:
    root = checkout(tmp_path, ["numpy==2.4.6", "nvidia-nccl==2.31.0"], FREE)
    with pytest.raises(UserError, match=r"nobody has read the terms of nvidia-nccl==2\.31\.0;"):
        refuse_unchecked(root, ROW)


def test_forbidden_package_is_named_even_if_another_entry_allows_it(tmp_path: Path) -> None:
    allowed = FREE.replace('"numpy==*"', '"n*"')
    root = checkout(tmp_path, ["numpy==2.4.6", "nvidia-nvjitlink==13.5.37"], CLOSED + allowed)
    with pytest.raises(UserError, match=r"terms of nvidia-nvjitlink==13\.5\.37 do not allow it") as said:
        refuse_unchecked(root, ROW)
    assert "nobody" not in str(said.value)


@pytest.mark.parametrize("section", ["non-free", "updates/non-free-firmware"])
def test_debian_package_outside_main_is_named(tmp_path: Path, section: str) -> None:
    root = checkout(tmp_path, ["numpy==2.4.6"], FREE, section)
    with pytest.raises(UserError, match=r"nobody has read the terms of bash=5\.2 \(Debian\)"):
        refuse_unchecked(root, ROW)


def test_a_reading_without_its_reader_is_refused(tmp_path: Path) -> None:
    root = checkout(tmp_path, ["numpy==2.4.6"], FREE.replace('checked_by = "somebody"\n', ""))
    with pytest.raises(UserError, match=r"redistribution\.toml: .*checked_by"):
        refuse_unchecked(root, ROW)


def test_no_readings_at_all_is_a_sentence(tmp_path: Path) -> None:
    root = checkout(tmp_path, ["numpy==2.4.6"], FREE)
    (root / "containers" / "redistribution.toml").unlink()
    with pytest.raises(UserError, match="nobody has read the terms of any package"):
        refuse_unchecked(root, ROW)


def test_cpu_images_of_the_matrix_may_be_pushed_and_no_pin_is_read_two_ways() -> None:
    terms = load_terms(ROOT)
    locked = [row for row in load_matrix(ROOT).rows if lock_path(ROOT, row).exists()]
    for row in locked:
        if row.accelerator == "cpu" and is_for_here(row):
            refuse_unchecked(ROOT, row)
        for wheel in check_lock(ROOT, row):
            assert sum(reading.cover(wheel.pin) for reading in terms) <= 1, wheel.pin


def test_only_what_may_go_is_listed_and_the_rest_is_explained(tmp_path: Path) -> None:
    root = checkout(tmp_path, ["numpy==2.4.6", "nvidia-nccl==2.31.0"], FREE)
    free, bare = (
        msgspec.structs.replace(ROW, name="torch-1.0-cpu-py311"),
        msgspec.structs.replace(ROW, name="torch-2.0-cpu-py311"),
    )
    lock_path(root, free).write_text(f"numpy==2.4.6 --hash=sha256:{'0' * 64}  # 1 bytes\n")
    said: list[str] = []
    assert publishable(root, [ROW, free, bare], said.append) == [free.name]
    assert len(said) == 2 and "nvidia-nccl==2.31.0" in said[0] and f"'{bare.name}' has no lock" in said[1]


def test_the_command_prints_the_locked_cpu_images_as_json() -> None:
    done = CliRunner().invoke(cli, ["publishable"])
    rows = load_matrix(ROOT).rows
    cpu = [row.name for row in rows if row.accelerator == "cpu" and lock_path(ROOT, row).exists()]
    here = [name for name in cpu if is_for_here(load_matrix(ROOT).find(name))]
    assert json.loads(done.stdout) == here and len(here) >= 5
    for name in set(cpu) - set(here):
        assert (
            f"Image '{name}' is for " in done.stderr and "build and push it on such a machine" in done.stderr
        )


@pytest.mark.parametrize(
    "pin",
    [
        "nvidia-cuda-runtime-cu12==12.8.90",
        "nvidia-cudnn-cu13==9.20.0.48",
        "nvidia-nvjitlink==13.5.37",
        "nvidia-cusparselt-cu13==0.8.1",
        "triton==3.7.1",
    ],
)
def test_what_nvidia_does_not_let_us_give_on_stays_here(tmp_path: Path, pin: str) -> None:
    committed = (ROOT / "containers" / "redistribution.toml").read_text()
    root = checkout(tmp_path, ["numpy==2.4.6", pin], committed)
    with pytest.raises(UserError, match=f"terms of {pin.replace('.', '[.]')} do not allow it"):
        refuse_unchecked(root, ROW)
