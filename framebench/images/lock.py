"""One lock per image: every wheel by exact version and SHA-256, and the command that remakes it."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from framebench.errors import UserError
from framebench.images.matrix import ImageRow

_PIN = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)
_LINE = re.compile(r"(?P<pin>[a-z0-9-]+==\S+) --hash=sha256:(?P<sha256>[0-9a-f]{64})  # (?P<size>\d+) bytes")


class Wheel(NamedTuple):
    """One line of a lock."""

    pin: str  # name==version
    sha256: str
    size: int  # bytes


def lock_path(root: Path, row: ImageRow) -> Path:
    return root / "containers" / "locks" / f"{row.name}.txt"


def lock_sha256(root: Path, row: ImageRow) -> str:
    """SHA-256 of the lock file's bytes, after checking that it fits the row."""
    check_lock(root, row)
    return hashlib.sha256(lock_path(root, row).read_bytes()).hexdigest()


def check_lock(root: Path, row: ImageRow) -> list[Wheel]:
    """The wheels of the row's lock; ``UserError`` when it is missing, malformed or does not fit the row."""
    path = lock_path(root, row)
    mend = f"run `framebench lock {row.alias}` and commit the result"
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        raise UserError(f"{path} is missing: image '{row.name}' has no lock; {mend}.") from None
    wheels = []
    for number, line in enumerate(lines, 1):
        match = _LINE.fullmatch(line)
        if match is None:
            raise UserError(
                f"{path}, line {number}: expected `name==version --hash=sha256:<64 hex>  # <size> bytes`,"
                f" found '{line}'; {mend}."
            )
        wheels.append(Wheel(match["pin"], match["sha256"], int(match["size"])))
    missing = sorted(set(row.packages) - {wheel.pin for wheel in wheels})
    if missing:
        raise UserError(f"{path} does not hold {', '.join(missing)} that images.toml asks for; {mend}.")
    return wheels


def compile_lock(root: Path, row: ImageRow) -> None:
    """Resolve the row's packages with uv and write its lock: one wheel, one hash, per package.

    uv lists the hashes of all files of a release; the wheel that pip takes for the image's platform is
    downloaded and only its hash is kept, so that a lock names the very files that are in the image.
    """
    from framebench.images import fetch

    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.exists() else shutil.which("uv")
    if uv is None:
        raise UserError("uv is not installed, and remaking a lock needs it; run `pip install uv`.")
    path = lock_path(root, row)
    path.parent.mkdir(parents=True, exist_ok=True)
    command = [uv, "pip", "compile", "--quiet", "--no-config", "--no-header", "--no-annotate"]
    command += ["--no-emit-index-url", "--no-emit-find-links", "--generate-hashes", "--only-binary", ":all:"]
    command += ["--python-version", row.python, "--python-platform", "x86_64-manylinux_2_28"]
    for folder in fetch.configured_find_links():
        command += ["--find-links", folder]
    for extra in [[], ["--index", row.index]] if row.index else [[]]:
        done = subprocess.run(
            [*command, *extra, "-"], input="\n".join(row.packages), text=True, capture_output=True
        )
        if done.returncode == 0:
            break
    else:
        raise UserError(f"uv could not resolve image '{row.name}': {done.stderr.strip()[-600:]}")
    with tempfile.TemporaryDirectory() as folder:
        wide = Path(folder, "wide.txt")
        wide.write_text(done.stdout)
        fetch.download(wide, Path(folder, "wheels"), row)
        by_name = {_normal(wheel.name.split("-")[0]): wheel for wheel in Path(folder, "wheels").iterdir()}
        lines = []
        for pin in _PIN.finditer(done.stdout):
            wheel = by_name[_normal(pin[1])]
            digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
            lines.append(f"{pin[0]} --hash=sha256:{digest}  # {wheel.stat().st_size} bytes\n")
            fetch.store_wheel(root, wheel, digest)
    temporary = path.with_suffix(".tmp")
    temporary.write_text("".join(lines))
    temporary.rename(path)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
