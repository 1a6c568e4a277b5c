"""What a trial really ran on against what was locked: CUDA's libraries in its memory, packages on its path.

A GPU library can come from the wrong place without a word: another version that a variable pointed at, a system's
own copy. So after the trial the process looks at what the loader mapped, and finds the package that owns it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import msgspec

from harness.draft import Draft
from harness.record import LoadedLibrary, Outcome
from harness.telemetry.proc import read

LOCK_VARIABLE = "FRAMEBENCH_LOCK"
"""Names the lock of the environment, a line per package: ``name==version --hash=sha256:...  # N bytes``."""

_DRIVER = re.compile(r"lib(cuda\.so|cudadebugger\.so|nvidia-)")  # of the host's driver, never in a lock
_CUDA = re.compile(
    r"lib(cudart|cublas|cudnn|nccl|cufft|curand|cusolver|cusparse|nvrtc|nvJitLink|nvjitlink|nvvm|cupti"
    r"|nvToolsExt|nvtx|nvshmem|cufile|nvinfer|nvjpeg|npp|cutensor|cudss|nvfatbin)"
)
_PIN = re.compile(r"([A-Za-z0-9._-]+)==(\S+)")
_SITES = ("site-packages", "dist-packages")


def verify(draft: Draft, outcome: Outcome, lock: str | None) -> Outcome:
    """``outcome``, or ``invalid`` when the environment is not the one of the file ``lock``; null checks nothing.

    The draft's software gets the CUDA libraries; of a timed trial, whose telemetry fills its record, they are in the
    sidecar (``libraries``). A trial that failed keeps its failure.
    """
    if draft.software is None or outcome.status not in ("ok", "not_comparable"):
        return outcome
    sites = site_folders()
    libraries = identify(cuda_libraries(read("/proc/self/maps") or ""), sites)
    if draft.timing is None:
        draft.software = msgspec.structs.replace(draft.software, libraries=libraries)
    elif libraries:
        draft.series["libraries"] = msgspec.to_builtins(libraries)
    if lock is None:
        return outcome
    difference = first_difference(installed(sites), libraries, lock)
    if difference is None:
        return outcome
    return Outcome(
        status="invalid",
        reason=f"manifest mismatch: {difference}",
        mend="build the image or the environment again: framebench build, or framebench prune and framebench run",
    )


def first_difference(
    packages: Iterable[tuple[str, str]], libraries: Iterable[LoadedLibrary], lock: str
) -> str | None:
    """In words, the first way in which the environment is not what the file ``lock`` says; null if it is."""
    text = read(lock)
    if text is None:
        return f"the lock {lock} cannot be read"
    pins = (_PIN.match(line) for line in text.splitlines())
    locked = {_normal(pin[1]): pin[2] for pin in pins if pin}
    found: dict[str, str] = {}
    for name, version in sorted(packages):
        if name not in locked:
            return f"{name} {version} is installed, and the lock does not hold it"
        if version != locked[name]:
            return f"{name} {version} is installed, the lock says {locked[name]}"
        found[name] = version
    if missing := sorted(locked.keys() - found.keys()):
        return f"{missing[0]} {locked[missing[0]]} is in the lock and not installed"
    for library in libraries:
        if library.package is None:
            return f"{library.file} was loaded, and no package of the environment owns it"
    return None


def cuda_libraries(maps: str) -> list[Path]:
    """Paths of CUDA's shared libraries in a text of ``/proc/<pid>/maps``, sorted; the driver's are none."""
    fields = (line.split(maxsplit=5) for line in maps.splitlines())
    paths = {Path(row[5].removesuffix(" (deleted)")) for row in fields if len(row) == 6 and ".so" in row[5]}
    return sorted(path for path in paths if _is_cuda(path))


def _is_cuda(path: Path) -> bool:
    if _DRIVER.match(path.name):
        return False
    of_a_wheel = any(f"/{site}/nvidia/" in str(path) for site in _SITES)
    return path.name.startswith("lib") and (of_a_wheel or _CUDA.match(path.name) is not None)


def site_folders() -> list[Path]:
    """Where packages lie on this interpreter's path; a checkout on it is none of them."""
    folders = (Path(entry).resolve() for entry in sys.path)
    return list(dict.fromkeys(folder for folder in folders if folder.name in _SITES))


def installed(sites: list[Path]) -> list[tuple[str, str]]:
    """Name and version of every distribution in these folders."""
    return [(_normal(one.name), one.version) for one in metadata.distributions(path=[*map(str, sites)])]


def identify(paths: list[Path], sites: list[Path]) -> list[LoadedLibrary]:
    """The libraries, each with the package that lists it among its files; null where none does."""
    found: dict[Path, LoadedLibrary] = {}
    inside = [(site, path) for site in sites for path in paths if path.is_relative_to(site)]
    for site in {site for site, _ in inside}:
        entries = {path: f"\n{path.relative_to(site).as_posix()}," for one, path in inside if one == site}
        for package in metadata.distributions(path=[str(site)]):
            files = "\n" + (package.read_text("RECORD") or "")
            for path in [path for path, entry in entries.items() if entry in files]:
                name = _normal(package.name)
                found[path] = LoadedLibrary(file=path.name, package=name, version=package.version)
    return [found.get(path) or LoadedLibrary(file=str(path), package=None, version=None) for path in paths]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
