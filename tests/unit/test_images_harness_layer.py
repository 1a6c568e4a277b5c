"""The harness layer depends on the harness's names and contents, and on nothing of the checkout."""

import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from framebench.errors import UserError
from framebench.images.make.canonical import write_entries
from framebench.images.make.harness_layer import (
    harness_files,
    harness_layer,
    harness_tree_sha256,
    spec_version,
    tree_sha256,
)

EPOCH = 1780272000
FILES = {
    "harness/__init__.py": "",
    "harness/record.py": "SPEC_VERSION = 1\n",
    "harness/workloads/mlp/reference.npz": "numbers",
}


def written(files: dict[str, bytes], target: Path) -> bytes:
    write_entries(harness_layer(files), target, EPOCH)
    return target.read_bytes()


def checkout(root: Path, umask: int, git: bool) -> Path:
    old = os.umask(umask)
    try:
        for name, text in FILES.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        (root / "harness" / "__pycache__").mkdir()
        (root / "harness" / "__pycache__" / "record.cpython-311.pyc").write_text("bytecode")
    finally:
        os.umask(old)
    if git:
        (root / ".gitignore").write_text("__pycache__/\n")
        subprocess.run(["git", "init", "-q", str(root)], check=True)
        subprocess.run(["git", "-C", str(root), "add", "harness/record.py"], check=True)
    return root


def test_folder_umask_times_and_git_do_not_matter(tmp_path: Path) -> None:
    one = checkout(tmp_path / "one", 0o022, git=True)
    two = checkout(tmp_path / "elsewhere" / "two", 0o077, git=False)
    for file in (two / "harness").rglob("*"):
        os.utime(file, (1, 1))
    layers = [written(harness_files(root), tmp_path / "layer.tar") for root in (one, two)]
    assert layers[0] == layers[1]
    assert harness_tree_sha256(one) == harness_tree_sha256(two)
    with tarfile.open(fileobj=io.BytesIO(layers[0])) as tar:
        assert {(m.mtime, m.uid, m.gid, m.uname) for m in tar} == {(EPOCH, 0, 0, "")}
        assert {m.mode for m in tar if m.isfile()} == {0o644} and {m.mode for m in tar if m.isdir()} == {
            0o755
        }
        files = [m.name.removeprefix("opt/framebench/") for m in tar if m.isfile()]
    assert files == sorted(FILES)


def test_contents_and_names_matter(tmp_path: Path) -> None:
    files = harness_files(checkout(tmp_path / "one", 0o022, git=True))
    renamed = {name.replace("reference", "other"): data for name, data in files.items()}
    edited = {name: data + b"#" for name, data in files.items()}
    assert len({tree_sha256(tree) for tree in (files, renamed, edited)}) == 3
    assert len({written(tree, tmp_path / "layer.tar") for tree in (files, renamed, edited)}) == 3


def test_spec_version_is_read_from_the_harness_that_goes_in(tmp_path: Path) -> None:
    assert spec_version({"harness/record.py": b"x = 2\nSPEC_VERSION = 7\n"}) == "7"
    with pytest.raises(UserError, match="SPEC_VERSION"):
        spec_version({"harness/record.py": b""})


def test_no_harness_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no files"):
        harness_files(tmp_path)
