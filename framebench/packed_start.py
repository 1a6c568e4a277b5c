"""The start of a pack, as its ``__main__.py``: is this the machine that it was made for? Then unpack, once, and run.

Standard library only, and nothing that a Python too old for the rest could not read: it is told so in a sentence.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import os
import platform
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

DOCUMENT = "pack.json"


def main() -> None:
    pack = Path(sys.argv[0]).resolve()
    with zipfile.ZipFile(pack) as held:
        text = held.read(DOCUMENT)
        about = json.loads(text)
        reason = unfit(about)
        if reason:
            refuse(f"{pack.name} was made for {reason}")
        folder = unpacked(held, about, text)
    put_on_path(folder, about)
    from framebench.cli import main as framebench
    from framebench.cli import packed

    framebench(packed)


def unfit(about: dict[str, Any]) -> str | None:
    """What the pack was made for and this machine is not, with the mend; null if it fits."""
    here = f"{sys.platform} on {platform.machine()}"
    if here != f"linux on {about['machine']}":
        return f"linux on {about['machine']}, and this is {here}: make one there with `framebench pack`"
    python = "{}.{}{}".format(*sys.version_info[:2], sys.abiflags)
    if python != about["python"] or sys.implementation.name != "cpython":
        return (
            f"Python {about['python']}, and {sys.executable} is {sys.implementation.name} {python}:"
            f" run it with python{about['python']}, or make one with `framebench pack --python {python}`"
        )
    library, version = platform.libc_ver()
    if library != "glibc" or numbers(version) < numbers(about["glibc"]):
        has = f"{library} {version}".strip() or "another C library"
        return f"glibc {about['glibc']} or newer, and this machine has {has}: it needs a newer system"
    return None


def numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")[:2]]


def unpacked(held: zipfile.ZipFile, about: dict[str, Any], text: bytes) -> Path:
    """The folder of this very pack, whole or not there at all, whoever else unpacks it at the same time."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "framebench" / "packs"
    folder = cache / hashlib.sha256(text).hexdigest()
    if folder.is_dir():
        return folder
    try:
        cache.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix="unpacking-", dir=str(cache)))
        try:
            unpack(held, about, fresh)
            (fresh / "tree" / DOCUMENT).write_bytes(text)
            fresh.rename(folder)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    except OSError as error:
        if not folder.is_dir():  # else another process was quicker
            refuse(
                f"{cache} cannot be written ({error.strerror}): name a folder with 300 MB free in XDG_CACHE_HOME"
            )
    return folder


def unpack(held: zipfile.ZipFile, about: dict[str, Any], folder: Path) -> None:
    """``tree/`` as it was in the clone, and in ``wheels/NAME/`` what each wheel would install."""
    for name, digest in about["files"].items():
        path = folder / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(whole(held, f"tree/{name}", digest))
    for wheel in about["wheels"]:
        content = whole(held, f"wheels/{wheel['file']}", wheel["sha256"])
        with zipfile.ZipFile(io.BytesIO(content)) as inside:
            inside.extractall(str(folder / "wheels" / wheel["name"]))


def whole(held: zipfile.ZipFile, name: str, digest: str) -> bytes:
    try:
        content = held.read(name)
    except zipfile.BadZipFile:
        content = b""
    if hashlib.sha256(content).hexdigest() != digest:
        refuse(f"{name} in {held.filename} is damaged: copy the pack again")
    return content


def put_on_path(folder: Path, about: dict[str, Any]) -> None:
    """The pack's packages before the machine's, but what goes with its frameworks: NumPy, for example.

    Trials, which get their path by ``PYTHONPATH``, see of the pack only what the harness imports.
    """
    taken = [one for one in about["wheels"] if not is_here(one["machines_module"])]
    places = {one["name"]: str(folder / "wheels" / one["name"]) for one in taken}
    sys.path[:1] = [str(folder / "tree"), *places.values()]  # in place of the pack itself
    in_trials = [places[one["name"]] for one in taken if one["in_trials"]]
    inherited = [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]
    os.environ["PYTHONPATH"] = os.pathsep.join([*in_trials, *inherited])
    if "numpy" not in places:
        refuse_misfits(taken)


def is_here(module: str | None) -> bool:
    return module is not None and importlib.util.find_spec(module) is not None


def refuse_misfits(taken: list[dict[str, Any]]) -> None:
    """A package of the pack that does not go with the machine's NumPy."""
    from importlib.metadata import version

    from packaging.specifiers import SpecifierSet

    numpy = version("numpy")
    for wheel in taken:
        if not SpecifierSet(wheel["needs_numpy"]).contains(numpy, prereleases=True):
            refuse(
                f"this machine's NumPy is {numpy}, and the pack's {wheel['name']} needs {wheel['needs_numpy']}:"
                f" install {wheel['name']} beside that NumPy, or another NumPy"
            )


def refuse(sentence: str) -> None:
    sys.stderr.write(f"framebench: {sentence}.\n")
    sys.exit(2)


if __name__ == "__main__":
    main()
