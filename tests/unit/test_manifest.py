"""The manifest check: what is installed and what of CUDA is loaded, against the lock."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from framebench.records.versions import decode_record
from harness import manifest
from harness.draft import Draft
from harness.manifest import cuda_libraries, first_difference, installed, site_folders, verify
from harness.record import LoadedLibrary, Outcome, Software, encode
from tests.record_factory import make_record
from tests.requirement import require
from tests.unit.test_harness_trials import spec

LOCK = f"alpha==1.0+cpu --hash=sha256:{'0' * 64}  # 10 bytes\nbeta-gamma==2.1 --hash=sha256:{'1' * 64}  # 9 bytes\n"
FITTING = [("alpha", "1.0+cpu"), ("beta-gamma", "2.1")]


def package(site: Path, name: str, version: str, *files: str) -> None:
    """A distribution as an installer leaves it."""
    folder = site / f"{name}-{version}.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (folder / "RECORD").write_text("".join(f"{file},sha256=x,1\n" for file in files))


@pytest.fixture
def lock(tmp_path: Path) -> str:
    path = tmp_path / "lock.txt"
    path.write_text(LOCK)
    return str(path)


@pytest.mark.parametrize(
    ("packages", "libraries", "expected"),
    [
        (FITTING, [], None),
        (FITTING, [LoadedLibrary(file="libnccl.so.2", package="alpha", version="1.0+cpu")], None),
        (FITTING[:1], [], "beta-gamma 2.1 is in the lock and not installed"),
        ([*FITTING, ("pip", "25.0")], [], "pip 25.0 is installed, and the lock does not hold it"),
        ([FITTING[0], ("beta-gamma", "2.2")], [], "beta-gamma 2.2 is installed, the lock says 2.1"),
        ([("alpha", "1.0"), FITTING[1]], [], "alpha 1.0 is installed, the lock says 1.0+cpu"),
        ([*FITTING, ("alpha", "0.9")], [], "alpha 0.9 is installed, the lock says 1.0+cpu"),  # a second one
        (
            FITTING,
            [LoadedLibrary(file="/usr/local/cuda/lib64/libcudart.so.13", package=None, version=None)],
            "/usr/local/cuda/lib64/libcudart.so.13 was loaded, and no package of the environment owns it",
        ),
    ],
)
def test_the_first_difference_is_said(
    lock: str, packages: list[tuple[str, str]], libraries: list[LoadedLibrary], expected: str | None
) -> None:
    assert first_difference(packages, libraries, lock) == expected


def test_a_lock_that_cannot_be_read_is_a_difference() -> None:
    assert first_difference(FITTING, [], "/no/lock.txt") == "the lock /no/lock.txt cannot be read"


def test_names_are_compared_as_the_index_spells_them(tmp_path: Path) -> None:
    package(tmp_path / "site-packages", "Beta_Gamma", "2.1")
    assert installed([tmp_path / "site-packages"]) == [("beta-gamma", "2.1")]


def test_only_cudas_own_libraries_are_found() -> None:
    site = "/opt/venv/lib/python3.11/site-packages"
    mapped = [
        f"{site}/nvidia/cu13/lib/libcublas.so.13",
        f"{site}/nvidia/cu13/lib/libcublas.so.13",  # mapped in several pieces
        f"{site}/nvidia/nccl/lib/libanything.so.2",
        f"{site}/torch/lib/libcudart-d0da41ae.so.12",
        "/usr/local/cuda/lib64/libcudnn.so.9",
        f"{site}/torch/lib/libtorch_cuda.so",
        "/usr/lib/x86_64-linux-gnu/libcuda.so.1",
        "/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1",
        "/home/nvidia/libc.so.6",
        "/opt/nvtx-notes.txt",
    ]
    maps = "".join(f"7f00-7f01 r-xp 00000000 00:30 42   {path}\n" for path in mapped)
    maps += "7f02-7f03 rw-p 00000000 00:00 0 \n7ffc-7ffd rw-p 00000000 00:00 0   [stack]\n"
    assert [path.name for path in cuda_libraries(maps)] == [
        "libcublas.so.13",
        "libanything.so.2",
        "libcudart-d0da41ae.so.12",
        "libcudnn.so.9",
    ]


LOAD_AND_VERIFY = """
import ctypes, json, sys
sys.path.insert(0, sys.argv[1])
ctypes.CDLL(sys.argv[2])
from harness.manifest import verify
from harness.record import Outcome
from tests.unit.test_manifest import drafted
draft = drafted()
outcome = verify(draft, Outcome(status="ok"), sys.argv[3])
print(json.dumps([outcome.status, outcome.reason, [[l.file, l.package, l.version] for l in draft.software.libraries]]))
"""


def test_a_library_that_is_really_loaded_is_traced_to_its_package(tmp_path: Path) -> None:
    """Two libraries of one name: the wheel's passes, the one beside the environment makes the trial invalid."""
    compiler = shutil.which("gcc")
    require("gcc", compiler is not None, "there is no gcc on the PATH")
    site = tmp_path / "site-packages"
    inside, outside = site / "nvidia" / "cu13" / "lib", tmp_path / "cuda"
    for folder in (inside, outside):
        folder.mkdir(parents=True)
        command = [
            str(compiler),
            "-shared",
            "-fPIC",
            "-x",
            "c",
            "/dev/null",
            "-o",
            str(folder / "libcudart.so.13"),
        ]
        subprocess.run(command, check=True)
    package(site, "nvidia_cuda_runtime", "13.0.96", "nvidia/cu13/lib/libcudart.so.13")
    lock = tmp_path / "lock.txt"

    def verified(library: Path) -> list[object]:
        done = subprocess.run(
            [sys.executable, "-c", LOAD_AND_VERIFY, str(site), str(library), str(lock)],
            capture_output=True,
            check=True,
            cwd=Path(__file__).parents[2],
        )
        answer: list[object] = json.loads(done.stdout)
        return answer

    others = "".join(f"{name}=={version}\n" for name, version in installed(site_folders()))
    lock.write_text(others + "nvidia-cuda-runtime==13.0.96\n")
    library = ["libcudart.so.13", "nvidia-cuda-runtime", "13.0.96"]
    assert verified(inside / library[0]) == ["ok", None, [library]]
    lock.write_text(others + "nvidia-cuda-runtime==13.0.88\n")
    assert verified(inside / library[0]) == [
        "invalid",
        "manifest mismatch: nvidia-cuda-runtime 13.0.96 is installed, the lock says 13.0.88",
        [library],
    ]
    lock.write_text(others + "nvidia-cuda-runtime==13.0.96\n")
    stray = str(outside / library[0])
    assert verified(outside / library[0]) == [
        "invalid",
        f"manifest mismatch: {stray} was loaded, and no package of the environment owns it",
        [[stray, None, None]],
    ]


def drafted() -> Draft:
    draft = Draft(spec())
    draft.software = Software(
        python="3",
        numpy="2",
        framework=None,
        backend=None,
        packages={},
        cuda=None,
        cudnn=None,
        driver=None,
        compiler=None,
    )
    return draft


def test_a_timed_trial_has_its_libraries_in_the_sidecar(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record on a GPU has no room for twenty of them beside its telemetry."""
    monkeypatch.setattr(manifest, "cuda_libraries", lambda maps: [Path("/cuda/libnccl.so.2")])
    draft = drafted()
    draft.timing = make_record().timing
    assert draft.timing is not None
    assert verify(draft, Outcome(status="ok"), None).status == "ok"
    assert draft.software is not None and draft.software.libraries == []
    assert draft.series == {"libraries": [["/cuda/libnccl.so.2", None, None]]}


def test_a_mismatch_never_hides_a_failure(tmp_path: Path) -> None:
    crashed = Outcome(status="crashed", reason="ImportError")
    assert verify(drafted(), crashed, "/no/lock.txt") is crashed
    assert verify(drafted(), Outcome(status="not_comparable"), "/no/lock.txt").status == "invalid"
    assert verify(drafted(), Outcome(status="ok"), None).status == "ok"


def test_records_without_libraries_are_read_and_those_with_them_come_back_whole() -> None:
    record = make_record()
    old = encode(record).replace(b',"libraries":[]', b"")
    assert old != encode(record)
    assert decode_record(old) == record
    draft = drafted()
    assert draft.software is not None
    library = LoadedLibrary(file="libcudnn.so.9", package="nvidia-cudnn-cu13", version="9.20.0.48")
    draft.software = Software(
        **{
            **{f: getattr(draft.software, f) for f in draft.software.__struct_fields__},
            "libraries": [library],
        }
    )
    data = encode(draft.record(Outcome(status="ok")))
    assert b'["libcudnn.so.9","nvidia-cudnn-cu13","9.20.0.48"]' in data
    assert decode_record(data).software == draft.software
