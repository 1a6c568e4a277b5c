"""Trials in one virtual environment per image row, made from the same hash-locked wheels as the image."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from framebench.errors import UserError
from framebench.executors import Failure, Progress, StackOn, Unavailable, gpu
from framebench.executors.machine import Machine, this_machine
from framebench.executors.only_linux import require_linux
from framebench.executors.plain_path import plain
from framebench.executors.process import TrialProcess, compiler_version
from framebench.executors.rows import Rows
from framebench.images import ImageRow, OwnWheel, fetch_wheels, lock_path, lock_sha256, own_builds
from harness.manifest import LOCK_VARIABLE
from harness.record import ImageRef, Record, TrialSpec

READY = ".framebench-ready"
"""Written last into an environment, with the hash of its lock; one without it is half made."""
LOCK = "lock.txt"
"""The lock that the environment was made from, as in an image: the harness compares the two."""


class VenvExecutor:
    """Environments lie in ``build/venvs/<image>``, compile caches in ``build/cache/<image>``."""

    name = "venv"
    engine = None

    def __init__(
        self, root: Path, images_asked: Sequence[str] = (), own_wheels: Sequence[OwnWheel] = ()
    ) -> None:
        self._root = root
        self.rows = Rows(root, images_asked, own_wheels)
        self._process = TrialProcess()

    def machine(self) -> Machine:
        return this_machine()

    def refusal(self, wanted: StackOn, count: int = 1) -> Unavailable | None:
        missing = gpu.refusal_of(count) if wanted.device == "gpu" else None
        row = self._row(wanted)
        return missing or (row if isinstance(row, Unavailable) else None)

    def _row(self, wanted: StackOn) -> ImageRow | Unavailable:
        """The row whose environment can be made here, or why there is none."""
        row = self.rows.find(wanted)
        if isinstance(row, Unavailable):
            return row
        return self.rows.foreign(row, self.machine().architecture) or row

    def ready(self, wanted: Iterable[StackOn]) -> dict[StackOn, ImageRef]:
        made: dict[StackOn, ImageRef] = {}
        for one in wanted:
            row = self._row(one)
            if isinstance(row, Unavailable):
                continue
            lock_hash = lock_sha256(self._root, row)
            if _is_ready(self._folder(row.name), lock_hash):
                made[one] = _reference(row, lock_hash)
        return made

    def prepare(self, wanted: Iterable[StackOn], progress: Progress) -> dict[StackOn, ImageRef | Unavailable]:
        prepared: dict[StackOn, ImageRef | Unavailable] = {}
        for one in wanted:
            row = self._row(one)
            try:
                prepared[one] = row if isinstance(row, Unavailable) else self.prepare_row(row, progress)
            except UserError as error:
                prepared[one] = Unavailable(str(error))
        return prepared

    def prepare_row(self, row: ImageRow, progress: Progress) -> ImageRef:
        """Make the row's environment, if it is not there already or its lock has changed.

        ``UserError`` before anything is fetched where its wheels are for another machine.
        """
        require_linux("venv")
        if other := self.rows.foreign(row, self.machine().architecture):
            raise UserError(f"{other.reason}; {other.mend}.")
        lock_hash = lock_sha256(self._root, row)
        folder = self._folder(row.name)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with folder.with_name(f"{row.name}.lock").open("w") as guard:
            fcntl.flock(guard, fcntl.LOCK_EX)  # two runs of one clone make it once
            if not _is_ready(folder, lock_hash):
                self._make(row, folder, lock_hash, progress)
        return _reference(row, lock_hash)

    def run(self, spec: TrialSpec, log: Progress) -> Record | Failure:
        if spec.image.name is None:
            raise UserError(f"Trial {spec.trial_id} names no image; the venv executor needs one.")
        root = plain(self._root)
        python = self.interpreter(spec.image.name)
        if not python.exists():
            raise UserError(f"{python} does not exist; run `framebench run` again, it makes the environment.")
        variables = {
            "PYTHONPATH": str(root),
            "PYTHONNOUSERSITE": "1",
            LOCK_VARIABLE: str(self._folder(spec.image.name) / LOCK),
        }
        cache = root / "build" / "cache" / spec.image.name
        return self._process.run(python, spec, cache, variables, log)

    def stop(self) -> None:
        self._process.stop()

    def interpreter(self, image_name: str) -> Path:
        """The Python of a row's environment, whether it is there or not."""
        return plain(self._root) / "build" / "venvs" / image_name / "bin" / "python"

    def _folder(self, name: str) -> Path:
        return self._root / "build" / "venvs" / name

    def _make(self, row: ImageRow, folder: Path, lock_hash: str, progress: Progress) -> None:
        interpreter = find_interpreter(row.python)
        wheels = fetch_wheels(self._root, row, progress)
        shutil.rmtree(folder, ignore_errors=True)
        progress(f"{row.name}: making the virtual environment")
        try:
            _call(
                [str(interpreter), "-m", "venv", "--without-pip", str(folder)],
                f"{interpreter} could not make a virtual environment;"
                f" install its venv module (Debian, Ubuntu: apt install python{row.python}-venv)",
            )
            # our own pip: the environment then holds the lock and nothing else, and is made in half the time
            install = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python")]
            install += ["install", "--quiet"]
            install += ["--disable-pip-version-check", "--no-input", "--no-index", "--no-deps"]
            install += ["--find-links", str(wheels), "--require-hashes", "--only-binary", ":all:"]
            install += ["--requirement", str(lock_path(self._root, row))]
            _call(install, f"pip could not install the lock of {row.name} into {folder}")
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        shutil.copyfile(lock_path(self._root, row), folder / LOCK)
        (folder / READY).write_text(lock_hash)


def find_interpreter(version: str) -> Path:
    """An interpreter of this Python version: ``pythonX.Y`` of the path, else our own if it is one.

    ``UserError`` says what to install when there is neither.
    """
    interpreter = shutil.which(f"python{version}")
    if interpreter:
        return Path(interpreter)
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return Path(sys.executable)
    raise UserError(
        f"The locked packages are for Python {version}, and there is no python{version} on the path;"
        f" install it (for example `uv python install {version}`, or apt install python{version}-venv)"
        " or start a Docker engine."
    )


def _reference(row: ImageRow, lock_hash: str) -> ImageRef:
    return ImageRef(
        name=row.name, lock_sha256=lock_hash, compiler=compiler_version(), own_builds=own_builds(row)
    )


def _is_ready(folder: Path, lock_hash: str) -> bool:
    marker = folder / READY
    whole = (folder / LOCK).is_file() and (folder / "bin" / "python").exists()
    return whole and marker.is_file() and marker.read_text() == lock_hash


def _call(command: list[str], otherwise: str) -> None:
    # a configuration of pip could bring back the index, another prefix or constraints
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))
    }
    done = subprocess.run(
        command,
        env=environment | {"PIP_CONFIG_FILE": os.devnull},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode != 0:
        last = done.stdout.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise UserError(f"{otherwise}: {last[0]}")
