"""A wheel's layer holds what pip would install, and nothing of the machine that wrote it."""

import base64
import hashlib
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from framebench.errors import UserError
from framebench.images.make.canonical import write_entries
from framebench.images.make.wheel_layer import environment_layer, write_wheel_layer

EPOCH = 1780272000
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
SITE = f"opt/venv/lib/python{PYTHON}/site-packages"
FILES = {
    "thing/__init__.py": b"def main() -> None:\n    print('ran')\n",
    "thing/data.bin": b"\0" * 1000,
    "thing-1.0.data/scripts/old-script": b"#!python\nprint('old')\n",
    "thing-1.0.data/data/share/thing.txt": b"shared",
    "thing-1.0.data/headers/thing.h": b"#pragma once\n",
    "thing-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n",
    "thing-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "thing-1.0.dist-info/entry_points.txt": b"[console_scripts]\nthing = thing:main\n",
}


def wheel(folder: Path) -> Path:
    path = folder / "thing-1.0-py3-none-any.whl"
    record = ""
    with zipfile.ZipFile(path, "w") as out:
        for name, data in FILES.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (0o100755 if "scripts" in name else 0o100644) << 16
            out.writestr(info, data)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            record += f"{name},sha256={digest},{len(data)}\n"
        out.writestr("thing-1.0.dist-info/RECORD", f"{record}thing-1.0.dist-info/RECORD,,\n")
    return path


def test_umask_and_folder_do_not_matter(tmp_path: Path) -> None:
    layers = []
    for name, umask in (("one", 0o022), ("another/two", 0o077)):
        (tmp_path / name).mkdir(parents=True)
        old = os.umask(umask)
        try:
            digest = write_wheel_layer(wheel(tmp_path), PYTHON, tmp_path / name / "layer.tar", EPOCH)
        finally:
            os.umask(old)
        layers.append((tmp_path / name / "layer.tar").read_bytes())
        assert digest == f"sha256:{hashlib.sha256(layers[-1]).hexdigest()}"
    assert layers[0] == layers[1]
    with tarfile.open(tmp_path / "one" / "layer.tar") as tar:
        members = {member.name: member for member in tar}
    assert {(m.mtime, m.uid, m.gid, m.uname) for m in members.values()} == {(EPOCH, 0, 0, "")}
    assert {m.mode for m in members.values() if m.isdir()} == {0o755}
    executable = {name for name, m in members.items() if m.isfile() and m.mode == 0o755}
    assert executable == {"opt/venv/bin/thing", "opt/venv/bin/old-script"}


def test_the_files_are_those_that_pip_installs(tmp_path: Path) -> None:
    """Names, contents and executability, but for what each installer writes of itself."""
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(venv / "bin" / "python"), "install", "--quiet"]
    pip += ["--no-index", "--no-deps", "--no-compile", "--disable-pip-version-check"]
    before = {path for path in venv.rglob("*") if path.is_file()}
    subprocess.run(
        [*pip, str(wheel(tmp_path))], check=True, env={**os.environ, "PIP_CONFIG_FILE": os.devnull}
    )
    theirs = {}
    for path in {path for path in venv.rglob("*") if path.is_file()} - before:
        content = path.read_bytes().replace(f"{venv}/bin/python".encode(), b"/opt/venv/bin/python")
        theirs[f"opt/venv/{path.relative_to(venv)}"] = (content, bool(path.stat().st_mode & 0o100))
    write_wheel_layer(wheel(tmp_path), PYTHON, tmp_path / "layer.tar", EPOCH)
    ours = {}
    with tarfile.open(tmp_path / "layer.tar") as tar:
        for member in tar:
            if member.isfile():
                ours[member.name] = (tar.extractfile(member).read(), bool(member.mode & 0o100))  # type: ignore[union-attr]
    own = {
        f"{SITE}/thing-1.0.dist-info/{name}"
        for name in ("INSTALLER", "RECORD", "REQUESTED", "direct_url.json")
    }
    launcher = "opt/venv/bin/thing"  # each installer's wording of the same few lines
    assert theirs.keys() - own == ours.keys() - own
    assert {name: theirs[name] for name in theirs.keys() - own - {launcher}} == {
        name: ours[name] for name in ours.keys() - own - {launcher}
    }
    assert ours[launcher][0].startswith(b"#!/opt/venv/bin/python\n") and b"thing" in ours[launcher][0]


def test_a_file_that_is_no_wheel_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "thing-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("thing/__init__.py", "")
    with pytest.raises(UserError, match=r"thing-1\.0-py3-none-any\.whl is not a wheel"):
        write_wheel_layer(path, PYTHON, tmp_path / "layer.tar", EPOCH)
    path.write_bytes(b"<html>not found</html>")
    with pytest.raises(UserError, match=r"thing-1\.0-py3-none-any\.whl is not a wheel"):
        write_wheel_layer(path, PYTHON, tmp_path / "layer.tar", EPOCH)


def test_the_environment_names_its_interpreter_and_holds_its_lock(tmp_path: Path) -> None:
    write_entries(environment_layer("3.11", b"thing==1.0 --hash=sha256:aa\n"), tmp_path / "layer.tar", EPOCH)
    with tarfile.open(tmp_path / "layer.tar") as tar:
        assert tar.getmember("opt/venv/bin/python").linkname == "/usr/bin/python3.11"
        lock = tar.extractfile("opt/venv/lock.txt")
        assert lock is not None and lock.read() == b"thing==1.0 --hash=sha256:aa\n"
        mark = tar.extractfile("opt/venv/pyvenv.cfg")
        assert mark is not None and b"include-system-site-packages = false" in mark.read()
