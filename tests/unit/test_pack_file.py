"""A pack says whom it is for before anything runs, unpacks whole or not at all, and carries what the lock pins."""

from __future__ import annotations

import ast
import io
import json
import os
import platform
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from framebench.cli import main
from framebench.pack.carried import IN_TRIALS, Carried, pins_of
from framebench.pack.pack_file import oldest_glibc, write_pack
from framebench.records import provenance
from framebench.records.pack_document import read_pack_document
from tests.wheel_index import make_wheel, sha256

ROOT = Path(__file__).resolve().parents[2]
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
CLI = """
import os, sys
packed = "packed"
def main(commands):
    import gravel, numpy, pebble
    print(sys.argv[1:], commands)
    for module in (gravel, numpy, pebble):
        print(module.__name__, module.__file__)
    print("trials", os.environ["PYTHONPATH"])
"""
"""Stands for framebench, which is slower to start: what is looked at here is how it is started."""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A small tree in a place of its own."""
    root = tmp_path / "clone"
    for name in (
        "harness/__init__.py",
        "framebench/__init__.py",
        "suites/one.toml",
        "containers/images.toml",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"# {name}\n")
    (root / "framebench" / "cli.py").write_text(CLI)
    shutil.copy(ROOT / "framebench" / "packed_start.py", root / "framebench")
    return root


def carried(folder: Path, name: str, needs_numpy: str = "") -> Carried:
    file, content = make_wheel(name, "1.0")
    (folder / file).write_bytes(content)
    return Carried(folder / file, name, sha256(content), needs_numpy)


@pytest.fixture
def pack(clone: Path, tmp_path: Path) -> Path:
    wheels = [carried(tmp_path, "gravel"), carried(tmp_path, "numpy"), carried(tmp_path, "pebble", ">=2,<3")]
    write_pack(clone, tmp_path / "one.pyz", PYTHON, "smoke", wheels)
    return tmp_path / "one.pyz"


def rewritten(
    pack: Path, change: Callable[[dict[str, Any]], Any], contents: dict[str, bytes] | None = None
) -> Path:
    """The pack with another document, or other contents under some names."""
    with zipfile.ZipFile(pack) as held:
        members = {name: held.read(name) for name in held.namelist()}
    document = json.loads(members["pack.json"])
    change(document)
    members |= {"pack.json": json.dumps(document).encode()} | (contents or {})
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as held:
        for name, content in members.items():
            held.writestr(name, content)
    pack.write_bytes(packed.getvalue())
    return pack


def run(pack: Path, *arguments: str, bare: bool = True, **variables: str) -> subprocess.CompletedProcess[str]:
    """Start the pack, by default in a Python that sees no other packages."""
    environment = {"HOME": str(pack.parent / "home"), **variables}
    return subprocess.run(
        [sys.executable, *(["-S"] if bare else []), str(pack), *arguments],
        cwd=pack.parent,
        env=environment,
        capture_output=True,
        text=True,
    )


def test_it_starts_framebench_from_its_folder_with_its_packages(pack: Path) -> None:
    done = run(pack, "run", "--suite", "one", PYTHONPATH="/mine")
    assert done.returncode == 0, done.stderr
    [folder] = (pack.parent / "home" / ".cache" / "framebench" / "packs").iterdir()
    said = dict(line.split(" ", 1) for line in done.stdout.splitlines()[1:])
    assert done.stdout.startswith("['run', '--suite', 'one'] packed\n")
    assert said["gravel"] == str(folder / "wheels" / "gravel" / "gravel.py")
    assert said["numpy"] == str(folder / "wheels" / "numpy" / "numpy.py")
    assert said["trials"] == f"{folder}/wheels/numpy:/mine"
    assert run(pack).returncode == 0
    assert [*folder.parent.iterdir()] == [folder]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda about: about.update(python="3.99"),
            f"one.pyz was made for Python 3.99, and {sys.executable} is cpython {PYTHON}: run it with python3.99,"
            f" or make one with `framebench pack --python {PYTHON}`.",
        ),
        (
            lambda about: about.update(machine="riscv64"),
            f"one.pyz was made for linux on riscv64, and this is linux on {platform.machine()}: make one there with"
            " `framebench pack`.",
        ),
        (
            lambda about: about.update(glibc="2.99"),
            "one.pyz was made for glibc 2.99 or newer, and this machine has",
        ),
    ],
)
def test_another_machine_is_told_so_before_anything_is_unpacked(
    change: Callable[[dict[str, Any]], Any], said: str, pack: Path
) -> None:
    done = run(rewritten(pack, change))
    assert done.returncode == 2
    assert said in done.stderr and len(done.stderr.splitlines()) == 1
    assert not (pack.parent / "home").exists()


@pytest.mark.parametrize("name", ["tree/suites/one.toml", "wheels/gravel-1.0-py3-none-any.whl"])
def test_a_damaged_pack_is_refused_and_leaves_nothing(name: str, pack: Path) -> None:
    done = run(rewritten(pack, lambda about: None, {name: b"damaged"}))
    assert (done.returncode, done.stderr) == (
        2,
        f"framebench: {name} in {pack} is damaged: copy the pack again.\n",
    )
    assert [*(pack.parent / "home" / ".cache" / "framebench" / "packs").iterdir()] == []


def test_a_cache_that_cannot_be_written_is_one_sentence(pack: Path) -> None:
    (pack.parent / "file").touch()
    done = run(pack, XDG_CACHE_HOME=str(pack.parent / "file"))
    assert done.returncode == 2
    assert (
        "name a folder with 300 MB free in XDG_CACHE_HOME" in done.stderr and "Traceback" not in done.stderr
    )


def test_a_package_that_does_not_go_with_the_machines_numpy_is_said(clone: Path, tmp_path: Path) -> None:
    wheels = [carried(tmp_path, "numpy"), carried(tmp_path, "pebble", ">=1,<1.1")]
    write_pack(clone, tmp_path / "one.pyz", PYTHON, "smoke", wheels)
    done = run(tmp_path / "one.pyz", bare=False)
    assert done.returncode == 2
    assert "and the pack's pebble needs" in done.stderr and "install pebble beside that NumPy" in done.stderr


def test_the_same_clone_gives_the_same_pack(pack: Path, clone: Path, tmp_path: Path) -> None:
    wheels = [carried(tmp_path, "gravel"), carried(tmp_path, "numpy"), carried(tmp_path, "pebble", ">=2,<3")]
    os.utime(clone / "suites" / "one.toml", (1, 1))
    write_pack(clone, tmp_path / "two.pyz", PYTHON, "smoke", wheels)
    assert pack.read_bytes() == (tmp_path / "two.pyz").read_bytes()


def test_an_unpacked_tree_names_the_commit_that_was_packed_wherever_it_lies(
    clone: Path, tmp_path: Path
) -> None:
    git = ["git", "-C", str(clone), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"]):
        subprocess.run([*git, *command], check=True)
    commit = provenance.commit(clone)
    write_pack(clone, tmp_path / "one.pyz", PYTHON, "smoke", [carried(tmp_path, "gravel")])
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)  # somebody's home may be a checkout
    run(tmp_path / "one.pyz")
    [folder] = (tmp_path / "home" / ".cache" / "framebench" / "packs").iterdir()
    tree = folder / "tree"
    assert (provenance.commit(tree), provenance.dirty(tree)) == (commit, False)
    (tree / "suites" / "one.toml").write_text("changed")
    assert provenance.dirty(tree) is True
    document = read_pack_document(tree)
    assert document and document.suite == "smoke"
    (clone / "suites" / "one.toml").write_text("changed")
    assert write_pack(clone, tmp_path / "two.pyz", PYTHON, "smoke", []).dirty is True


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_the_lock_says_which_version_a_python_gets(python: str) -> None:
    pins = pins_of(ROOT, python)
    lock = (ROOT / "requirements.lock").read_text()
    assert {*IN_TRIALS, "click", "scipy", "h11"} <= pins.keys()  # h11: three packages away
    assert not {"pandas", "pyarrow", "mkdocs", "pygments"} & pins.keys()
    condition = "< '3.12'" if python == "3.11" else ">= '3.12'"
    assert f"numpy=={pins['numpy'].version} ; python_full_version {condition}" in lock
    assert all(f"sha256:{digest}" in lock for digest in pins["msgspec"].sha256)


@pytest.mark.parametrize(
    ("names", "oldest"),
    [
        ([], "0.0"),
        (["a-1-py3-none-any.whl"], "0.0"),
        (["a-1-cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.whl"], "2.17"),
        (["a-1-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl"], "2.27"),
        (["a-1-cp36-abi3-manylinux2010_x86_64.whl", "b-1-cp311-cp311-manylinux_2_28_x86_64.whl"], "2.28"),
    ],
)
def test_the_oldest_glibc_is_what_every_wheel_runs_on(names: list[str], oldest: str) -> None:
    assert oldest_glibc(names) == oldest


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--python", "3.9"],
            "--python 3.9: framebench runs on Python 3.11 and newer; write it as 3.12.",
        ),
        (
            ["-o", "none/here.pyz"],
            "none/here.pyz: its folder does not exist; make it, or name another with -o.",
        ),
        (["--suite", "nine"], "unknown suite 'nine'; the nearest: "),
    ],
)
def test_what_cannot_be_packed_is_one_sentence_before_anything_is_fetched(
    arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["framebench", "pack", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    said_there = capsys.readouterr()
    assert said_there.err.startswith(f"framebench: {said}") and said_there.out == ""


def test_a_python_that_is_too_old_for_the_rest_can_read_the_start() -> None:
    ast.parse((ROOT / "framebench" / "packed_start.py").read_text(), feature_version=(3, 7))
