"""This repository's matrix and locks are in order, and a malformed one is refused with a sentence."""

from pathlib import Path

import pytest

from framebench.errors import UserError
from framebench.images import load_matrix, lock_path, lock_sha256
from framebench.images.debs import load_base_lock
from framebench.images.lock import check_lock

ROOT = Path(__file__).parents[2]
ROW = """
[[image]]
name = "torch-1-cpu-py311"
alias = "torch-cpu"
stack = "torch"
default = true
accelerator = "cpu"
python = "3.11"
arch = "amd64"
base = "cpu"
packages = ["torch==1.0"]
"""
WHEEL = "torch==1.0 --hash=sha256:" + "a" * 64 + "  # 12 bytes\n"


def checkout(folder: Path, matrix: str = ROW, lock: str | None = None) -> Path:
    (folder / "containers" / "locks").mkdir(parents=True)
    (folder / "containers" / "images.toml").write_text(matrix)
    if lock is not None:
        (folder / "containers" / "locks" / "torch-1-cpu-py311.txt").write_text(lock)
    return folder


def test_every_row_of_the_repository_has_a_fitting_lock_and_base() -> None:
    matrix = load_matrix(ROOT)
    assert {row.alias for row in matrix.rows} == {
        "torch-cpu",
        "tensorflow-cpu",
        "keras-tensorflow-cpu",
        "keras-torch-cpu",
        "keras-jax-cpu",
    }
    for row in matrix.rows:
        assert len(lock_sha256(ROOT, row)) == 64
        assert load_base_lock(ROOT, row.base).debs()
        assert row.name.endswith(f"-{row.accelerator}-py{row.python.replace('.', '')}")


def test_all_images_have_one_numpy() -> None:
    pins = {wheel.pin for row in load_matrix(ROOT).rows for wheel in check_lock(ROOT, row)}
    assert len({pin for pin in pins if pin.startswith("numpy==")}) == 1


def test_locks_name_no_place_of_the_machine_that_made_them() -> None:
    files = [lock_path(ROOT, row) for row in load_matrix(ROOT).rows]
    for file in [*files, *(ROOT / "containers" / "base").glob("*.lock")]:
        text = file.read_text()
        assert (
            "://" not in text and "file:" not in text and "--find-links" not in text and "-index" not in text
        )


def test_find_takes_names_and_aliases_and_answers_an_unknown_one_with_the_nearest() -> None:
    matrix = load_matrix(ROOT)
    assert matrix.find("torch-cpu") is matrix.find("torch-2.13.0-cpu-py311") is matrix.default("torch")
    with pytest.raises(UserError, match=r"no image 'torhc-cpu'.*did you mean torch-cpu"):
        matrix.find("torhc-cpu")
    with pytest.raises(UserError, match="no default image for stack 'torch' on accelerator 'cu130'"):
        matrix.default("torch", "cu130")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            'python = "3.11"',
            "python = 3.11",
            r"images.toml: key image\[0\].python: Expected `str`, got `float`",
        ),
        ('stack = "torch"', 'stack = "mxnet"', r"image\[0\].stack: Invalid enum value 'mxnet'"),
        ('base = "cpu"', "", r"image\[0\]: Object missing required field `base`"),
        ('base = "cpu"', 'base = "cpu"\nbasis = 1', r"image\[0\]: .*unknown field `basis`"),
        ("torch==1.0", "torch>=1.0", r"image\[0\].packages\[0\]: Expected `str` matching regex"),
        ("[[image]]", "[[image", "images.toml is not valid TOML"),
        ("[[image]]", ROW + "[[image]]", "name 'torch-1-cpu-py311' is used twice"),
        (
            "[[image]]",
            ROW.replace("torch-1", "torch-2").replace("torch-cpu", "t2") + "[[image]]",
            "image 'torch-1-cpu-py311': default = true, but 'torch-2-cpu-py311' already is",
        ),
    ],
)
def test_malformed_matrix_names_file_key_and_what_was_expected(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    with pytest.raises(UserError, match=said):
        load_matrix(checkout(tmp_path, ROW.replace(old, new, 1)))


@pytest.mark.parametrize(
    ("lock", "said"),
    [
        (None, "has no lock; run `framebench lock torch-cpu`"),
        (WHEEL.replace("1.0", "1.1"), "does not hold torch==1.0 that images.toml asks for"),
        (WHEEL + "numpy==2.4.6\n", "line 2: expected `name==version --hash=.*found 'numpy==2.4.6'"),
    ],
)
def test_lock_that_does_not_fit_its_row_is_refused(tmp_path: Path, lock: str | None, said: str) -> None:
    root = checkout(tmp_path, lock=lock)
    with pytest.raises(UserError, match=said):
        lock_sha256(root, load_matrix(root).rows[0])
