"""This repository's matrix and locks are in order, and a malformed one is refused with a sentence."""

from pathlib import Path

import pytest

from framebench.errors import UserError
from framebench.executors.drivers import runs
from framebench.images import load_matrix, lock_sha256
from framebench.images.fetch.debs import load_base_lock
from framebench.images.locks import base_sha256, check_lock, is_locked
from framebench.images.make.assembly import assemble
from harness import frameworks

ROOT = Path(__file__).parents[2]
ROW = """
[[image]]
name = "torch-1.0-cpu-py311"
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
        (folder / "containers" / "locks" / "torch-1.0-cpu-py311.txt").write_text(lock)
    return folder


def test_every_row_of_the_repository_has_a_fitting_lock_and_base() -> None:
    matrix = load_matrix(ROOT)
    stacks = frameworks.stacks().keys() - {frameworks.SELF_TEST}
    assert {row.alias for row in matrix.select()} == {f"{stack}-cpu" for stack in stacks}
    for row in matrix.rows:
        base = load_base_lock(ROOT, row.base)
        assert base.debs() and base.arch == row.arch
        assert {deb.path[:-4].rpartition("_")[2] for deb in base.debs()} <= {row.arch, "all"}
        framework = row.packages[0].partition("==")[2].partition("+")[0]
        assert row.name.startswith(f"{row.stack}-{framework}-{row.accelerator}-")
        if is_locked(ROOT, row):
            assert len(lock_sha256(ROOT, row)) == 64
        else:  # the index of torch's CPU wheels could not be reached where the locks were made
            assert any("torch==" in pin and "+cpu" in pin for pin in row.packages)
            assert row.index and not row.default


def test_images_that_are_compared_have_one_numpy_and_all_have_what_the_harness_needs() -> None:
    matrix = load_matrix(ROOT)
    pins = {
        row.name: {wheel.pin for wheel in check_lock(ROOT, row)}
        for row in matrix.rows
        if is_locked(ROOT, row)
    }
    compared = [pins[row.name] for row in matrix.select()]
    assert len({pin for image in compared for pin in image if pin.startswith("numpy==")}) == 1
    for image in pins.values():
        assert {"msgspec==0.22.0", "psutil==7.2.2", "nvidia-ml-py==13.615.71"} <= image


def test_cpu_images_hold_no_cuda_and_gpu_images_hold_the_row_s() -> None:
    for row in load_matrix(ROOT).rows:
        if not is_locked(ROOT, row):
            continue
        names = {wheel.pin.partition("==")[0] for wheel in check_lock(ROOT, row)}
        cuda = {name for name in names if name.startswith("nvidia-") and name != "nvidia-ml-py"}
        assert (len(cuda) > 5) == (row.accelerator != "cpu"), row.name


def test_locks_name_no_place_of_the_machine_that_made_them() -> None:
    files = (ROOT / "containers" / "locks").iterdir()
    for file in [*files, *(ROOT / "containers" / "base").glob("*.lock")]:
        text = file.read_text()
        assert (
            "://" not in text and "file:" not in text and "--find-links" not in text and "-index" not in text
        )


def test_find_takes_names_and_aliases_and_answers_an_unknown_one_with_the_nearest() -> None:
    matrix = load_matrix(ROOT)
    assert (
        matrix.find("torch-cpu") is matrix.find("torch-2.13.0-cpu-py311") is matrix.for_device("cpu")["torch"]
    )
    with pytest.raises(UserError, match=r"no image 'torhc-cpu'.*did you mean torch-cpu"):
        matrix.find("torhc-cpu")


def test_a_campaign_measures_in_the_default_images_or_in_those_that_it_is_given() -> None:
    matrix = load_matrix(ROOT)
    assert {row.accelerator for row in matrix.for_device("cpu").values()} == {"cpu"}
    asked = matrix.for_device("cpu", ["tensorflow-2.20.0-cpu-py311", "torch-cu126"])
    assert asked["tensorflow"].name == "tensorflow-2.20.0-cpu-py311"
    assert asked["torch"] is matrix.for_device("cpu")["torch"]
    with pytest.raises(
        UserError, match=r"--image tensorflow-2\.20.* and tensorflow-2\.21.* are both for tensorflow on a cpu"
    ):
        matrix.for_device("cpu", ["tensorflow-2.20.0-cpu-py311", "tensorflow-cpu"])


def test_a_gpu_is_measured_in_the_newest_cuda_that_its_driver_runs() -> None:
    matrix = load_matrix(ROOT)
    assert {row.device for row in matrix.for_device("gpu").values()} == {"gpu"}
    newest = max(row.cuda_version for row in matrix.rows if row.stack == "torch" and row.default)
    assert matrix.for_device("gpu")["torch"].cuda_version == newest
    old = matrix.for_device("gpu", fits=lambda row: runs(ROOT, "550.54.14", row))
    assert old["torch"].accelerator == "cu128" and old["jax"].accelerator == "cu129"
    assert matrix.for_device("gpu", ["torch-cu126"])["torch"].accelerator == "cu126"
    assert matrix.for_device("gpu", fits=lambda row: runs(ROOT, "470.256.02", row)) == {}


def test_a_stack_without_a_row_for_the_device_is_not_in_the_answer(tmp_path: Path) -> None:
    matrix = load_matrix(checkout(tmp_path))
    assert set(matrix.for_device("cpu")) == {"torch"} and matrix.for_device("gpu") == {}


def test_rows_of_a_framework_whose_folder_is_broken_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frameworks, "broken", lambda: {"mxnet": "ImportError: no"})
    both = ROW + ROW.replace("torch", "mxnet")
    assert [row.stack for row in load_matrix(checkout(tmp_path, both)).rows] == ["torch"]


def test_the_hash_of_a_base_changes_with_its_lock_and_its_parent_s(tmp_path: Path) -> None:
    root = checkout(tmp_path, ROW.replace('base = "cpu"', 'base = "cxx"'))
    row = load_matrix(root).rows[0]
    with pytest.raises(UserError, match=r"cxx\.lock is missing: image 'torch-1\.0"):
        base_sha256(root, row)
    base = root / "containers" / "base"
    base.mkdir()
    (base / "cxx.lock").write_text('parent = "plain"\n')
    (base / "plain.lock").write_text("epoch = 1\n")
    first = base_sha256(root, row)
    (base / "plain.lock").write_text("epoch = 2\n")
    second = base_sha256(root, row)
    (base / "cxx.lock").write_text('parent = "plain"\nasked = []\n')
    assert len({first, second, base_sha256(root, row)}) == 3
    assert base_sha256(ROOT, load_matrix(ROOT).find("torch-cpu")) != base_sha256(
        ROOT, load_matrix(ROOT).find("jax-cpu")
    )


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            'python = "3.11"',
            "python = 3.11",
            r"images.toml: key image\[0\].python: Expected `str`, got `float`",
        ),
        (
            'torch-1.0-cpu-py311"\nstack = "torch"',
            'mxnet-1.0-cpu-py311"\nstack = "mxnet"',
            r"image\[0\].stack: unknown stack 'mxnet'; known are .*torch",
        ),
        ('base = "cpu"', "", r"image\[0\]: Object missing required field `base`"),
        ('base = "cpu"', 'base = "cpu"\nbasis = 1', r"image\[0\]: .*unknown field `basis`"),
        ("torch==1.0", "torch>=1.0", r"image\[0\].packages\[0\]: Expected `str` matching regex"),
        ("[[image]]", "[[image", "images.toml is not valid TOML"),
        ("[[image]]", ROW + "[[image]]", "image 'torch-1.0-cpu-py311': the name is used twice"),
        (
            "[[image]]",
            ROW.replace("torch-1.0", "torch-2") + "[[image]]",
            "image 'torch-1.0-cpu-py311': default = true, but 'torch-2-cpu-py311' already is",
        ),
        (
            "torch-1.0-cpu",
            "pytorch-cpu",
            r"image\[0\]: name 'pytorch-cpu-py311' should be torch-<version>-cpu-py311",
        ),
        (
            'base = "cpu"',
            'base = "cpu"\ncuda = "12.6.77"',
            r"image\[0\]: .*with accelerator 'cpu' takes no cuda",
        ),
    ],
)
def test_malformed_matrix_names_file_key_and_what_was_expected(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    with pytest.raises(UserError, match=said):
        load_matrix(checkout(tmp_path, ROW.replace(old, new, 1)))


GPU = (
    ROW.replace("cpu", "cu126").replace("torch==1.0", "torch[all]==1.0")
    + """
cuda = "12.6.77"
cudnn = "9.5.1.17"
nccl = "2.26.2"
"""
)
LIBRARIES = ("nvidia-cuda-runtime-cu12==12.6.77", "nvidia-cudnn-cu12==9.5.1.17", "nvidia-nccl-cu12==2.26.2")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('cudnn = "9.5.1.17"', "", "with accelerator 'cu126' needs cudnn"),
        ('cuda = "12.6.77"', 'cuda = "12.8.90"', "with accelerator 'cu126' cannot have cuda = '12.8.90'"),
        ('nccl = "2.26.2"', 'nccl = "latest"', r"image\[0\].nccl: Expected `str` matching regex"),
    ],
)
def test_a_gpu_row_says_its_cuda_libraries(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert load_matrix(checkout(tmp_path / "right", GPU)).rows[0].pins() == {"torch==1.0", *LIBRARIES}
    with pytest.raises(UserError, match=said):
        load_matrix(checkout(tmp_path / "wrong", GPU.replace(old, new)))


def test_libraries_of_cuda_13_have_their_own_package_names() -> None:
    pins = load_matrix(ROOT).find("torch-cu130").cuda_pins()
    assert "nvidia-cuda-runtime==13.0.96" in pins and "nvidia-cudnn-cu13==9.20.0.48" in pins


def test_a_lock_with_another_cudnn_than_its_row_is_refused(tmp_path: Path) -> None:
    root = checkout(tmp_path, GPU)
    lock = root / "containers" / "locks" / "torch-1.0-cu126-py311.txt"
    fitting = "".join(WHEEL.replace("torch==1.0", pin) for pin in ("torch==1.0", *LIBRARIES))
    lock.write_text(fitting)
    row = load_matrix(root).rows[0]
    assert len(check_lock(root, row)) == 4
    lock.write_text(fitting.replace("9.5.1.17", "9.6.0.74"))
    with pytest.raises(UserError, match=r"cudnn-cu12 is 9.6.0.74 in the lock and 9.5.1.17 in the row"):
        check_lock(root, row)


@pytest.mark.parametrize(
    ("lock", "said"),
    [
        (None, "has no lock yet; run `framebench lock torch-cpu`"),
        (
            WHEEL.replace("1.0", "1.1"),
            "does not fit its row in images.toml: torch is 1.1 in the lock and 1.0 in the row; run",
        ),
        (WHEEL + "numpy==2.4.6\n", "line 2: expected `name==version --hash=.*found 'numpy==2.4.6'"),
    ],
)
def test_lock_that_does_not_fit_its_row_is_refused(tmp_path: Path, lock: str | None, said: str) -> None:
    root = checkout(tmp_path, lock=lock)
    with pytest.raises(UserError, match=said):
        lock_sha256(root, load_matrix(root).rows[0])


def test_a_row_without_a_lock_is_refused_before_anything_is_fetched_or_built(tmp_path: Path) -> None:
    row = load_matrix(ROOT).find("torch-2.12.0-cpu-py311")
    with pytest.raises(
        UserError, match=r"has no lock yet; run `framebench lock torch-2.12.0-cpu.*reaches https"
    ):
        assemble(tmp_path, ROOT, row, pytest.fail)
    assert not list(tmp_path.iterdir())
