"""The wheels that a pack carries: what a campaign imports, as ``requirements.lock`` pins it, for one Python."""

from __future__ import annotations

import platform
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from packaging.metadata import parse_email
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from framebench.errors import UserError
from framebench.images.fetch.wheel_tags import platforms
from framebench.images.fetch.wheels import sha256_of
from framebench.images.folders import Progress
from framebench.images.locks import check_lock, is_locked
from framebench.images.matrix import load_matrix

LEFT_OUT = (
    *("babel", "cyclonedx-python-lib", "mkdocs", "mkdocs-material", "pandas", "pyarrow"),
    *("markdown-it-py", "pygments"),  # rich imports them where it shows documents or programs
)
"""Needed for the site, for tables and for bills of materials, and by no campaign."""
BESIDE_FRAMEWORKS = ("absl-py", "optax")
"""Small ones in Python alone that a stack needs beside its framework, as the images' locks pin them."""
IN_TRIALS = ("msgspec", "numpy", "nvidia-ml-py", "psutil", *BESIDE_FRAMEWORKS)
"""What the harness imports. A trial sees no more of the pack: the rest is the machine's own, as its framework is."""
MACHINE_FIRST = {"absl-py": "absl", "numpy": "numpy", "optax": "optax", "scipy": "scipy"}
"""Distribution and module of what is the machine's own where it has it, because its frameworks were built against it or
are tied to it; the pack's are for machines that have none."""


class Carried(NamedTuple):
    """One wheel of a pack."""

    path: Path
    name: str
    sha256: str
    needs_numpy: str  # the versions that it goes with; empty where it does not say


class Pin(NamedTuple):
    """One entry of ``requirements.lock``: the version, and the hashes of all its files."""

    version: str
    sha256: tuple[str, ...]


def fetch_carried(root: Path, python: str, say: Progress) -> list[Carried]:
    """The wheels for Python ``X.Y`` on this machine's kind, by hash, from the places that pip is configured with.

    They are kept in ``build/pack``. ``UserError`` where one cannot be had.
    """
    pins = pins_of(root, python)
    folder = root / "build" / "pack" / f"py{python}-{platform.machine()}"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = folder / "wanted.txt"
    wanted.write_text("".join(_line(name, pin) for name, pin in pins.items()))
    say(f"fetching {len(pins)} wheels for Python {python} ({platform.machine()})")
    command = [sys.executable, "-m", "pip", "download", "--quiet"]
    command += ["--disable-pip-version-check", "--no-input"]
    command += ["--no-deps", "--only-binary", ":all:", "--require-hashes", "--requirement", str(wanted)]
    command += ["--dest", str(folder), "--python-version", python, "--implementation", "cp"]
    for option, values in (
        ("--abi", [f"cp{python.replace('.', '')}", "abi3", "none"]),
        ("--platform", platforms(platform.machine())),
    ):
        command += [part for value in values for part in (option, value)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
        last = errors[-1].removeprefix("ERROR: ") if errors else f"exit code {done.returncode}"
        raise UserError(
            f"pip could not fetch the wheels of requirements.lock for Python {python}: {last};"
            " check the network, or name another Python with --python."
        )
    return [_carried(folder, name, pin) for name, pin in pins.items()]


def pins_of(root: Path, python: str) -> dict[str, Pin]:
    """What a campaign needs under this Python, by name: the project's dependencies with all that they need."""
    lock = dict(_locked(root / "requirements.lock", _marks(python)))
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    waiting = [Requirement(text).name for text in project["dependencies"]]
    pins: dict[str, Pin] = {}
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in LEFT_OUT or name in pins:
            continue
        if name not in lock:
            raise UserError(
                f"{root}/requirements.lock: {name} is missing for Python {python}; run `make lock`."
            )
        pins[name] = lock[name]
        waiting += _needs(name, _marks(python))
    return dict(sorted((pins | _beside_frameworks(root)).items()))


def _beside_frameworks(root: Path) -> dict[str, Pin]:
    rows = load_matrix(root).for_device("cpu").values()
    wheels = [wheel for row in rows if is_locked(root, row) for wheel in check_lock(root, row)]
    pinned = {wheel.pin.partition("==")[0]: wheel for wheel in wheels}
    return {
        name: Pin(pinned[name].pin.partition("==")[2], (pinned[name].sha256,)) for name in BESIDE_FRAMEWORKS
    }


def _marks(python: str) -> dict[str, str]:
    """What a requirement's condition is held against."""
    return {
        "python_version": python,
        "python_full_version": f"{python}.99",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": platform.machine(),
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "os_name": "posix",
        "extra": "",
    }


def _locked(path: Path, marks: Mapping[str, str]) -> Iterator[tuple[str, Pin]]:
    for entry in path.read_text().replace("\\\n", " ").splitlines():
        text, *hashes = re.split(r"\s+--hash=sha256:", entry.strip())
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate(dict(marks)):
            yield (
                canonicalize_name(requirement.name),
                Pin(str(requirement.specifier).removeprefix("=="), (*hashes,)),
            )


def _needs(name: str, marks: Mapping[str, str]) -> list[str]:
    """Names that the installed package asks for under these conditions."""
    asked = [Requirement(text) for text in metadata.requires(name) or []]
    return [one.name for one in asked if one.marker is None or one.marker.evaluate(dict(marks))]


def _line(name: str, pin: Pin) -> str:
    return " ".join([f"{name}=={pin.version}", *(f"--hash=sha256:{digest}" for digest in pin.sha256)]) + "\n"


def _carried(folder: Path, name: str, pin: Pin) -> Carried:
    for path in sorted(folder.glob("*.whl")):
        distribution, version, _, _ = parse_wheel_filename(path.name)
        if distribution == name and str(version) == pin.version and (digest := sha256_of(path)) in pin.sha256:
            return Carried(path, name, digest, _numpy_of(path))
    raise UserError(
        f"{folder}: pip left no wheel of {name} {pin.version} there; delete the folder and try again."
    )


def _numpy_of(wheel: Path) -> str:
    with zipfile.ZipFile(wheel) as held:
        text = next(held.read(one) for one in held.namelist() if one.endswith(".dist-info/METADATA"))
    asked = [Requirement(line) for line in parse_email(text)[0].get("requires_dist", [])]
    plain = [one for one in asked if one.name == "numpy" and one.marker is None]
    return str(plain[0].specifier) if plain else ""
