"""A real environment from a lock of one small wheel, made, kept, remade and cleaned away."""

from __future__ import annotations

import base64
import hashlib
import sys
import zipfile
from pathlib import Path

import msgspec
import pytest

from framebench.errors import UserError
from framebench.executors import Failure, StackOn, Unavailable
from framebench.executors import venv as module
from framebench.executors.venv import READY, VenvExecutor, find_interpreter
from framebench.images import ImageRow, lock_path, lock_sha256
from harness.record import Record, encode
from tests.record_factory import answering
from tests.unit.test_executor_process import make_spec

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
ROW = ImageRow(
    name=f"torch-1-cpu-py{PYTHON.replace('.', '')}",
    stack="torch",
    default=True,
    accelerator="cpu",
    python=PYTHON,
    arch="amd64",
    base="cpu",
    packages=["pebble==1.0"],
)


def make_wheel(folder: Path, content: str, version: str = "1.0", tag: str = "py3-none-any") -> Path:
    """A minimal valid wheel of the package ``pebble``."""
    folder.mkdir(parents=True, exist_ok=True)
    info = f"pebble-{version}.dist-info"
    files = {
        "pebble.py": content,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: pebble\nVersion: {version}\n",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    lines = [
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip('=')},"
        for name, text in files.items()
    ]
    files[f"{info}/RECORD"] = "\n".join([*lines, f"{info}/RECORD,,"])
    wheel = folder / f"pebble-{version}-{tag}.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return wheel


def lock(root: Path, wheel: Path, digest: str | None = None) -> None:
    digest = digest or hashlib.sha256(wheel.read_bytes()).hexdigest()
    path = lock_path(root, ROW)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"pebble==1.0 --hash=sha256:{digest}  # {wheel.stat().st_size} bytes\n")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone whose lock names one wheel, and whose harness prints a record if it can import the package."""
    wheels = tmp_path / "wheels"
    lock(tmp_path, make_wheel(wheels, "shape = 'round'\n"))
    monkeypatch.setattr(module, "fetch_wheels", lambda root, row, progress: wheels)
    package = tmp_path / "harness"
    package.mkdir()
    (package / "__main__.py").write_text(
        "import sys, pebble\nprint(pebble.shape, sys.prefix, file=sys.stderr)\n"
        f"print(open({str(tmp_path / 'record.json')!r}).read())\n"
    )
    return tmp_path


def test_an_environment_is_made_once_runs_a_trial_and_is_remade_when_the_lock_changes(root: Path) -> None:
    executor = VenvExecutor(root)
    said: list[str] = []
    image = executor.prepare_row(ROW, said.append)
    folder = root / "build" / "venvs" / ROW.name
    assert (image.name, image.config_digest, image.lock_sha256) == (ROW.name, None, lock_sha256(root, ROW))
    assert said == [f"{ROW.name}: making the virtual environment"]

    lines: list[str] = []
    spec = msgspec.structs.replace(make_spec(), image=image)
    (root / "record.json").write_bytes(encode(answering(spec)))
    assert isinstance(executor.run(spec, lines.append), Record), lines
    assert lines == [f"round {folder}"]
    assert (root / "build" / "cache" / ROW.name).is_dir()

    made = (folder / READY).stat().st_mtime_ns
    executor.prepare_row(ROW, said.append)
    assert (folder / READY).stat().st_mtime_ns == made

    lock(root, make_wheel(root / "wheels", "shape = 'flat'\n"))
    executor.prepare_row(ROW, said.append)
    assert len(said) == 2
    assert isinstance(executor.run(spec, lines.append), Record)
    assert lines[-1].startswith("flat ")


def test_a_wheel_with_another_hash_is_refused_and_nothing_half_made_stays(root: Path) -> None:
    lock(root, root / "wheels" / "pebble-1.0-py3-none-any.whl", digest="0" * 64)
    with pytest.raises(UserError, match="could not install the lock"):
        VenvExecutor(root).prepare_row(ROW, print)
    assert not (root / "build" / "venvs" / ROW.name).exists()


def test_half_made_environments_are_made_again(root: Path) -> None:
    folder = root / "build" / "venvs" / ROW.name
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").touch()
    VenvExecutor(root).prepare_row(ROW, print)
    assert (folder / READY).read_text() == lock_sha256(root, ROW)


def test_a_missing_interpreter_is_one_sentence_with_the_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match=r"python3\.99.*install it"):
        find_interpreter("3.99")
    assert find_interpreter(PYTHON) == Path(sys.executable)


def test_a_stack_without_an_interpreter_is_unavailable_and_does_not_stop_the_others(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = {"torch": ROW, "tensorflow": msgspec.structs.replace(ROW, name="torch-2-cpu-py399", python="3.99")}
    lock_path(root, rows["tensorflow"]).write_bytes(lock_path(root, ROW).read_bytes())

    executor = VenvExecutor(root)
    monkeypatch.setattr(executor.rows, "find", lambda wanted: rows[wanted.stack])
    prepared = executor.prepare([StackOn("tensorflow"), StackOn("torch")], print)
    refused = prepared[StackOn("tensorflow")]
    assert isinstance(refused, Unavailable) and "3.99" in refused.reason
    assert not isinstance(prepared[StackOn("torch")], Unavailable)


def test_an_environment_that_is_gone_is_said(root: Path) -> None:
    image = msgspec.structs.replace(make_spec().image, name="absent")
    with pytest.raises(UserError, match="absent"):
        VenvExecutor(root).run(msgspec.structs.replace(make_spec(), image=image), print)


def test_the_failure_of_a_trial_is_a_failure_here_too(root: Path) -> None:
    executor = VenvExecutor(root)
    image = executor.prepare_row(ROW, print)
    (root / "harness" / "__main__.py").write_text("import os; os.abort()")
    answer = executor.run(msgspec.structs.replace(make_spec(), image=image), print)
    assert isinstance(answer, Failure)
    assert answer.outcome.signal == "SIGABRT"
