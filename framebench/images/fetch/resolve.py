"""``framebench lock NAME``: resolve a row's packages with uv into one wheel, one hash, per package."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from framebench.errors import UserError
from framebench.images.fetch.download import Download
from framebench.images.fetch.indexes import Indexes, pip_settings
from framebench.images.fetch.wheel_tags import best_wheel, machine
from framebench.images.fetch.wheels import sha256_of, store_wheel
from framebench.images.folders import write_whole
from framebench.images.locks import Wheel, lock_path, unfitting
from framebench.images.matrix import ImageRow


def compile_lock(root: Path, row: ImageRow) -> Path:
    """Write the row's lock and return its path; nothing is downloaded whose hash and size the index publishes.

    ``UserError`` with uv's reason when the packages, or the row's CUDA libraries, do not go together.
    """
    packages = _resolved(row)
    wheels = [_wheel(root, row, package) for package in sorted(packages, key=lambda one: one["name"])]
    path = lock_path(root, row)
    if unfit := unfitting(row, wheels):
        raise UserError(f"{path} was not written, it would not fit its row in images.toml: {unfit}.")
    write_whole(path, "".join(wheel.line() for wheel in wheels).encode())
    return path


def _resolved(row: ImageRow) -> list[dict[str, Any]]:
    """What uv resolves the row to: the packages of a ``pylock.toml`` (PyPA's lock format, PEP 751)."""
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.exists() else shutil.which("uv")
    if uv is None:
        raise UserError("uv is not installed, and remaking a lock needs it; run `pip install uv`.")
    command = [uv, "pip", "compile", "--quiet", "--no-config", "--no-header", "--format", "pylock.toml"]
    command += ["--only-binary", ":all:", "--python-version", row.python]
    command += ["--python-platform", f"{machine(row)}-manylinux_2_28"]
    settings = pip_settings()  # uv does not read pip's configuration
    if index := settings.get("index-url"):
        command += ["--default-index", index[0]]
    if any("+" in pin for pin in row.pins()):  # elsewhere a folder's 2.13.0+cpu would pass for 2.13.0
        command += [word for place in settings.get("find-links", []) for word in ("--find-links", place)]
    asked: list[list[str]] = [[]]
    if row.index:
        asked.append(["--index", row.index, "--index-strategy", "unsafe-best-match"])
    with tempfile.TemporaryDirectory() as folder:
        constraints, overrides = (Path(folder, f"{name}.txt") for name in ("constraints", "overrides"))
        constraints.write_text("\n".join(row.cuda_pins()))
        overrides.write_text("\n".join(f'{name}; python_version < "0"' for name in row.without))  # nowhere
        for extra in asked:
            done = subprocess.run(
                [*command, *extra, "--constraints", str(constraints), "--overrides", str(overrides), "-"],
                input="\n".join(row.packages),
                text=True,
                capture_output=True,
            )
            if done.returncode == 0:
                return list(tomllib.loads(done.stdout)["packages"])
    said = " ".join(done.stderr.split())
    raise UserError(f"uv could not resolve image '{row.name}': {said[-600:]}")


def _wheel(root: Path, row: ImageRow, package: dict[str, Any]) -> Wheel:
    pin = f"{package['name']}=={package['version']}"
    files = {unquote(file["url"].rpartition("/")[2]): file for file in package.get("wheels", [])}
    name = best_wheel(row, files)
    if name is None:
        raise UserError(
            f"{pin} has no wheel for image '{row.name}' (Python {row.python}, Linux, {machine(row)});"
            " take another version."
        )
    file = files[name]
    digest, size = file["hashes"].get("sha256"), file.get("size")
    if digest is None or size is None:
        digest, size = _measured(root, row, file["url"], name)
    return Wheel(pin, digest, size)


def _measured(root: Path, row: ImageRow, url: str, name: str) -> tuple[str, int]:
    """SHA-256 and size of a file whose index (or folder) does not tell them; it is kept in the store."""
    with tempfile.TemporaryDirectory(dir=root / "build") as folder:
        file = Path(folder, name)
        Download(Indexes(row.index).client, url, file).run()
        digest, size = sha256_of(file), file.stat().st_size
        store_wheel(root, file, digest)
    return digest, size
