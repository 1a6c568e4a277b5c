"""``framebench lock``: uv resolves, one wheel per package is chosen, and what the index tells is not downloaded."""

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from framebench.errors import UserError
from framebench.images import ImageRow
from framebench.images.fetch.resolve import compile_lock
from framebench.images.fetch.wheel_tags import best_wheel
from framebench.images.locks import check_lock
from tests.wheel_index import WheelIndex, make_wheel, sha256

ROW = ImageRow(
    name="torch-1.0-cpu-py311",
    stack="torch",
    accelerator="cpu",
    python="3.11",
    arch="amd64",
    base="py311",
    packages=["fbtiny==1.0"],
)
GPU = msgspec.structs.replace(
    ROW, name="torch-1.0-cu126-py311", accelerator="cu126", cuda="12.6.77", cudnn="9.5", nccl="2.26"
)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WheelIndex]:
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    (tmp_path / "build").mkdir()
    with WheelIndex() as server:
        server.json = True
        monkeypatch.setenv("PIP_INDEX_URL", server.url)
        monkeypatch.setenv("PIP_FIND_LINKS", "")
        yield server


def line(name: str, content: bytes) -> str:
    project, version = name.split("-")[:2]
    return f"{project}=={version} --hash=sha256:{sha256(content)}  # {len(content)} bytes\n"


def test_hashes_and_sizes_come_from_the_index_and_no_wheel_is_downloaded(
    tmp_path: Path, index: WheelIndex
) -> None:
    tiny = index.add("fbtiny", requires=("fbneeded>=1",))
    index.add("fbneeded", "1.0")
    needed = index.add("fbneeded", "2.0")
    path = compile_lock(tmp_path, ROW)
    assert path == tmp_path / "containers" / "locks" / "torch-1.0-cpu-py311.txt"
    assert path.read_text() == line(*needed) + line(*tiny)
    assert [name for name, _ in index.downloads() if not name.endswith(".metadata")] == []


def test_a_wheel_whose_size_no_index_tells_is_measured_and_kept(tmp_path: Path, index: WheelIndex) -> None:
    name, content = index.add("fbtiny", padding=1000)
    index.json = False
    assert compile_lock(tmp_path, ROW).read_text() == line(name, content)
    assert (tmp_path / "build" / "store" / "wheels" / sha256(content) / name).read_bytes() == content


def test_a_folder_s_local_version_is_for_pins_with_one_only(
    tmp_path: Path, index: WheelIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, content = make_wheel("fbtiny", "1.0+cpu", padding=10)
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / name).write_bytes(content)
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "links"))
    plain = index.add("fbtiny")
    assert compile_lock(tmp_path, ROW).read_text() == line(*plain)
    local = msgspec.structs.replace(ROW, packages=["fbtiny==1.0+cpu"])
    assert compile_lock(tmp_path, local).read_text() == line(name, content)


def test_the_row_s_index_is_asked_when_the_configured_ones_do_not_have_it(
    tmp_path: Path, index: WheelIndex
) -> None:
    with WheelIndex() as other:
        other.json = True
        tiny = other.add("fbtiny", requires=("fbneeded>=1",))
        other.add("fbneeded", "1.0")
        needed = index.add("fbneeded", "2.0")  # the newest, wherever it is: one lock in both worlds
        row = msgspec.structs.replace(ROW, index=other.url)
        assert compile_lock(tmp_path, row).read_text() == line(*needed) + line(*tiny)


def test_a_gpu_row_decides_the_cuda_libraries_that_a_framework_leaves_open(
    tmp_path: Path, index: WheelIndex
) -> None:
    index.add("fbtiny", requires=("nvidia-cudnn-cu12", "nvidia-nccl-cu12==2.26", "nvidia-cuda-runtime-cu12"))
    for name, versions in {
        "nvidia_cudnn_cu12": ("9.5", "9.6"),
        "nvidia_nccl_cu12": ("2.26", "2.27"),
        "nvidia_cuda_runtime_cu12": ("12.6.77", "12.9.79"),
    }.items():
        for version in versions:
            index.add(name, version)
    path = compile_lock(tmp_path, GPU)
    assert [text.split(" ")[0] for text in path.read_text().splitlines()] == [
        "fbtiny==1.0",
        "nvidia-cuda-runtime-cu12==12.6.77",
        "nvidia-cudnn-cu12==9.5",
        "nvidia-nccl-cu12==2.26",
    ]
    before = path.read_bytes()
    with pytest.raises(UserError, match=r"could not resolve image 'torch-1.0-cu126-py311'.*nvidia-nccl-cu12"):
        compile_lock(tmp_path, msgspec.structs.replace(GPU, nccl="2.27"))
    assert path.read_bytes() == before


def test_what_a_row_is_without_is_not_resolved_and_nothing_that_it_alone_needs(
    tmp_path: Path, index: WheelIndex
) -> None:
    tiny = index.add("fbtiny", requires=("fbneeded>=1", "fbtext"))
    needed = index.add("fbneeded", "1.0")
    index.add("fbtext", requires=("fbhuge",))
    index.add("fbhuge")
    row = msgspec.structs.replace(ROW, without=["fbtext"])
    path = compile_lock(tmp_path, row)
    assert path.read_text() == line(*needed) + line(*tiny)
    compile_lock(tmp_path, ROW)
    with pytest.raises(UserError, match="fbtext is in the lock and the row is without it"):
        check_lock(tmp_path, row)


def test_a_lock_that_would_not_fit_its_row_is_not_written(tmp_path: Path, index: WheelIndex) -> None:
    index.add("fbtiny")
    with pytest.raises(
        UserError, match=r"was not written.*nvidia-cudnn-cu12 is missing in the lock and 9.5 in the"
    ):
        compile_lock(tmp_path, GPU)
    assert not (tmp_path / "containers").exists()


def test_a_release_without_a_wheel_for_the_image_is_refused(tmp_path: Path, index: WheelIndex) -> None:
    index.add("fbtiny", tag="cp311-cp311-win_amd64")
    with pytest.raises(UserError, match=r"image 'torch-1.0-cpu-py311'.*fbtiny"):
        compile_lock(tmp_path, ROW)


@pytest.mark.parametrize(
    ("tags", "best"),
    [
        (["py3-none-any", "cp311-cp311-manylinux_2_28_x86_64"], 1),
        (["cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64", "cp311-cp311-manylinux_2_28_x86_64"], 1),
        (
            [
                "cp311-cp311-manylinux_2_28_aarch64",
                "cp39-abi3-manylinux2014_x86_64",
                "cp312-cp312-manylinux_2_28_x86_64",
            ],
            1,
        ),
        (["cp311-abi3-manylinux_2_28_x86_64", "cp311-cp311-manylinux1_x86_64"], 1),
        (
            [
                "cp311-cp311-manylinux_2_39_x86_64",
                "cp311-cp311-musllinux_1_2_x86_64",
                "cp311-cp311-win_amd64",
            ],
            None,
        ),
        (["py2.py3-none-manylinux_2_25_x86_64"], 0),
    ],
)
def test_the_wheel_that_pip_would_install_is_chosen(tags: list[str], best: int | None) -> None:
    names = [f"fb-1.0-{tag}.whl" for tag in tags]
    assert best_wheel(ROW, names) == (None if best is None else names[best])


def test_another_python_and_another_machine_take_their_own_wheels() -> None:
    names = [
        f"fb-1.0-{tag}.whl"
        for tag in ("cp311-cp311-manylinux_2_28_x86_64", "cp313-cp313-manylinux_2_28_aarch64")
    ]
    other = msgspec.structs.replace(ROW, name="torch-1.0-cpu-py313-arm64", python="3.13", arch="arm64")
    assert best_wheel(other, names) == names[1] and best_wheel(ROW, names) == names[0]
