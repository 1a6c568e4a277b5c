"""Fetch the wheels of a lock into a content-addressed store, by hash, before anything is built.

``build/store/wheels/<sha256>/<file>.whl`` is the store; ``build/store/links/<lock sha256>/`` holds hard
links to the wheels of one lock and is what pip and the image build are given.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from framebench.errors import UserError
from framebench.images.lock import Wheel, check_lock, lock_sha256
from framebench.images.matrix import ImageRow

Progress = Callable[[str], None]

# Every level has to be named: pip takes a wheel only if its very tag is in the list.
_PLATFORMS = [f"manylinux_2_{level}_x86_64" for level in range(34, 4, -1)]
_PLATFORMS += ["manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64"]


def fetch_wheels(root: Path, row: ImageRow, progress: Progress, source: Path | None = None) -> Path:
    """Folder with exactly the wheels of the row's lock, each checked; no network when all are there.

    pip is asked first with whatever it is configured with (indexes, find-links); only if a wheel is not
    found that way, the row's ``index`` is added. The hashes are the same either way. ``source`` is the
    checkout that holds the lock, where that is not ``root``, whose ``build/store`` is used.
    """
    source = source or root
    wheels = check_lock(source, row)
    links = root / "build" / "store" / "links" / lock_sha256(source, row)
    if links.is_dir():
        _verify(links, wheels)
        return links
    if missing := [wheel for wheel in wheels if _stored(root, wheel) is None]:
        megabytes = sum(wheel.size for wheel in missing) // 1_000_000
        progress(f"{row.alias}: fetching {len(missing)} of {len(wheels)} wheels, {megabytes} MB")
        _fetch(root, row, missing)
    temporary = links.with_name(f"{links.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    for wheel in wheels:
        if (file := _stored(root, wheel)) is not None:
            os.link(file, temporary / file.name)
    _verify(temporary, wheels)
    if links.is_dir():  # another process was quicker
        shutil.rmtree(temporary)
    else:
        temporary.rename(links)
    return links


def missing_wheels(root: Path, row: ImageRow) -> list[Wheel]:
    """The wheels of the row's lock that are not in the store yet: what has to be downloaded."""
    return [wheel for wheel in check_lock(root, row) if _stored(root, wheel) is None]


def store_wheel(root: Path, wheel: Path, digest: str) -> None:
    """Move a checked wheel into the store (whole or not at all)."""
    folder = root / "build" / "store" / "wheels" / digest
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{os.getpid()}.tmp"
    shutil.move(wheel, temporary)
    temporary.rename(folder / wheel.name)


def download(lock: Path, target: Path, row: ImageRow) -> None:
    """``pip download`` everything ``lock`` names for the image's platform into ``target``."""
    tag = "cp" + row.python.replace(".", "")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--require-hashes", "--no-deps", "--only-binary", ":all:", "--python-version", row.python]
    command += ["--implementation", "cp", "--abi", tag, "--abi", "abi3", "--abi", "none"]
    command += [word for platform in _PLATFORMS for word in ("--platform", platform)]
    command += ["--dest", str(target), "--requirement", str(lock)]
    done = subprocess.run(command, text=True, capture_output=True)
    if done.returncode and row.index and "No matching distribution" in done.stderr:
        done = subprocess.run([*command, "--extra-index-url", row.index], text=True, capture_output=True)
    if done.returncode:
        raise UserError(_sentence(row, done.stderr))


def configured_find_links() -> list[str]:
    """Find-links folders or pages that this machine's pip is configured with (uv does not read them)."""
    done = subprocess.run([sys.executable, "-m", "pip", "config", "list"], text=True, capture_output=True)
    found: list[str] = []
    for line in done.stdout.splitlines():
        key, _, value = line.partition("=")
        if key.rsplit(".", 1)[-1] == "find-links":
            found += value.strip("'\"").split()
    return list(dict.fromkeys(found))


def _fetch(root: Path, row: ImageRow, missing: list[Wheel]) -> None:
    store = root / "build" / "store"
    require_space(store, 2 * sum(wheel.size for wheel in missing), f"the wheels of {row.alias}")
    with tempfile.TemporaryDirectory(dir=store, prefix="fetching-") as folder:
        part = Path(folder, "lock.txt")
        part.write_text("".join(f"{wheel.pin} --hash=sha256:{wheel.sha256}\n" for wheel in missing))
        download(part, Path(folder, "wheels"), row)
        for file in Path(folder, "wheels").iterdir():
            store_wheel(root, file, sha256_of(file))
    if still := [wheel.pin for wheel in missing if _stored(root, wheel) is None]:
        raise UserError(f"pip did not bring {', '.join(still)} for image '{row.name}'; run it again.")


def require_space(folder: Path, needed: int, what: str) -> None:
    """``UserError`` with both figures when the file system of ``folder`` cannot take ``needed`` bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise UserError(
            f"{folder} has {free / 1e9:.1f} GB free, and {what} need {needed / 1e9:.1f} GB;"
            " free some disk (`framebench prune` drops what framebench stored) and run again."
        )


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _verify(links: Path, wheels: list[Wheel]) -> None:
    """Hash every wheel in the folder: exactly those of the lock, none damaged."""
    found = {sha256_of(file): file.name for file in sorted(links.iterdir())}
    for wheel in wheels:
        if wheel.sha256 in found:
            continue
        stem = wheel.pin.replace("-", "_").replace("==", "-").lower()
        same = [f"{name} with {got}" for got, name in found.items() if name.lower().startswith(stem)]
        other = same[0] if same else "no such wheel"
        raise UserError(
            f"{links}: {wheel.pin} should have sha256 {wheel.sha256}, found {other};"
            " delete build/store and run again."
        )
    if extra := set(found) - {wheel.sha256 for wheel in wheels}:
        names = ", ".join(sorted(found[digest] for digest in extra))
        raise UserError(f"{links}: {names} is not in the lock; delete build/store and run again.")


def _stored(root: Path, wheel: Wheel) -> Path | None:
    folder = root / "build" / "store" / "wheels" / wheel.sha256
    return next(folder.glob("*.whl"), None) if folder.is_dir() else None


def _sentence(row: ImageRow, stderr: str) -> str:
    """What pip said, as one sentence: a hash mismatch with file, expected and found; else its last error."""
    expected, got = (
        re.search(r"Expected sha256 ([0-9a-f]{64})", stderr),
        re.search(r"Got\s+([0-9a-f]{64})", stderr),
    )
    if expected and got:
        where = re.search(r"^\s+(\S.*?) from (\S+)", stderr, re.MULTILINE)
        what = where[1] if where else "a wheel"
        return (
            f"{what} for image '{row.name}' should have sha256 {expected[1]}, found {got[1]};"
            " the package index offers another file than the lock names."
        )
    errors = [line.removeprefix("ERROR: ") for line in stderr.splitlines() if line.startswith("ERROR")]
    return (
        f"pip could not fetch the wheels of image '{row.name}': {' '.join(errors) or stderr.strip()[-400:]}"
    )
