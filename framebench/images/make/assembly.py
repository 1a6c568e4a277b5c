"""From a row of the matrix to the layers and the config of its image; no engine is needed for what is in the store.

The layers, bottom first: the base's Debian packages; the wheels, one layer each, those that every image holds
before the others and large before small, so that images share as long a beginning as possible; the compiler, where
the row has one; the environment's own files; the harness.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from framebench.errors import UserError
from framebench.images.fetch.debs import BaseLock, fetch_debs, load_base_lock
from framebench.images.fetch.download import Stopped
from framebench.images.fetch.wheels import fetch_wheels, require_space, sha256_of
from framebench.images.folders import Progress, layer_path, layer_store, write_whole
from framebench.images.locks import Wheel, check_lock, lock_path, lock_sha256
from framebench.images.make import canonical
from framebench.images.make.builder import Builder, BuilderName, choose_builder
from framebench.images.make.canonical import Entry, Layer
from framebench.images.make.harness_layer import harness_files, harness_layer, spec_version, tree_sha256
from framebench.images.make.rootfs import write_rootfs
from framebench.images.make.wheel_layer import environment_layer, write_wheel_layer
from framebench.images.matrix import ImageRow

LABEL = "org.framebench.image"
STAGES = ("base", "compiler")
"""Of the Dockerfile, bottom first."""
SPEC_VERSION_LABEL = "org.framebench.spec-version"

FORM = 1
"""Version of the canonical form of layers that need no container; a change of their bytes counts it up."""

HARNESS_NEEDS = frozenset({"msgspec", "numpy", "nvidia-ml-py", "psutil"})
"""Packages of every image: what the harness imports itself."""


class Part(NamedTuple):
    """A layer, and in words what it holds."""

    layer: Layer
    holds: str


class Assembled(NamedTuple):
    """Everything of an image: ``image`` is its config, whose digest is the image's identity."""

    row: ImageRow
    image: bytes
    parts: list[Part]
    epoch: int
    lock_sha256: str
    base_sha256: str
    """Over the Debian packages that the base is made of."""
    harness_tree_sha256: str

    @property
    def config_digest(self) -> str:
        return canonical.digest_of(self.image)

    @property
    def layers(self) -> list[Layer]:
        return [part.layer for part in self.parts]


def assemble(
    root: Path, source: Path, row: ImageRow, progress: Progress, builder: BuilderName | None = None
) -> Assembled:
    """Make what is not in the store ``root/build/store`` yet, and the config.

    ``source`` is the checkout whose ``containers/`` and ``harness/`` are used; ``builder`` runs the stages of the
    Dockerfile (by default whatever is here) and is not asked for when the base's layers are in the store.

    Raises
    ------
    BaseUnavailable
        when the base's Debian packages cannot be had.
    UserError
        when a lock, the builder or the disk is not in order; the sentence holds the mend.
    """
    check_lock(source, row)  # before anything is fetched or built
    harness = harness_files(source)  # read once: what is labelled is what is in the layer
    bases = base_locks(source, row)
    epoch = next(iter(bases.values())).epoch
    if not _stages_are_made(root, source, bases):
        choose_builder(builder).refuse_other_processor(row.name, row.arch)
    stop = threading.Event()
    with ThreadPoolExecutor(1) as beside:  # while dpkg installs the base, the wheels come and are unpacked
        unpacking = beside.submit(_wheel_parts, root, source, row, epoch, progress, stop)
        try:
            stages = _base_parts(root, source, bases, progress, lambda: choose_builder(builder))
            wheels = unpacking.result()
        except BaseException:  # Ctrl-C too
            stop.set()
            raise
    lock = lock_path(source, row).read_bytes()
    environment = _small(root, environment_layer(row.python, lock), epoch)
    parts = [
        stages[0],
        *wheels,
        *stages[1:],
        Part(environment, "environment and lock"),
        Part(_small(root, harness_layer(harness), epoch), "harness"),
    ]
    run = _run_config(source, row, bases)
    run["Labels"]["org.framebench.harness-tree-sha256"] = tree_sha256(harness)
    run["Labels"][SPEC_VERSION_LABEL] = spec_version(harness)
    return Assembled(
        row=row,
        image=canonical.config([part.layer for part in parts], run, epoch, row.arch),
        parts=parts,
        epoch=epoch,
        lock_sha256=lock_sha256(source, row),
        base_sha256=_base_sha256(bases),
        harness_tree_sha256=tree_sha256(harness),
    )


def base_locks(source: Path, row: ImageRow) -> dict[str, BaseLock]:
    """The locks of the row's base by name, bottom first; ``UserError`` where they do not fit the row."""
    names = [row.base]
    while parent := load_base_lock(source, names[0]).parent:
        names.insert(0, parent)
    locks = {name: load_base_lock(source, name) for name in names}
    debs = [deb for lock in locks.values() for deb in lock.debs()]
    where = f"containers/images.toml: image '{row.name}'"
    if not any(deb.name == f"python{row.python}" for deb in debs):
        raise UserError(
            f"{where}: python = \"{row.python}\", but base '{row.base}' has no python{row.python}; name one that has."
        )
    if other := [deb.path for deb in debs if not deb.path.endswith((f"_{row.arch}.deb", "_all.deb"))]:
        raise UserError(
            f"{where}: arch = \"{row.arch}\", but base '{row.base}' holds {other[0]}; name another base."
        )
    return locks


def inputs_sha256(source: Path, row: ImageRow, harness: str) -> str:
    """Over everything the image is made from: equal inputs need no build."""
    parts = [FORM, _row_key(row), lock_sha256(source, row), sha256_of(_dockerfile(source)), harness]
    parts += [[lock.epoch, *lock.packages] for lock in base_locks(source, row).values()]
    return hashlib.sha256(canonical.canonical_json(parts)).hexdigest()


# --- the layers --------------------------------------------------------------------------------


def _base_parts(
    root: Path,
    source: Path,
    locks: dict[str, BaseLock],
    progress: Progress,
    builder: Callable[[], Builder],
) -> list[Part]:
    """The layer of the base's Debian packages and, where there is one, that of the compiler."""
    parts: list[Part] = []
    for target, (name, lock) in zip(STAGES, locks.items(), strict=False):
        below = parts[-1].layer if parts else None

        def make(
            layer: Path,
            target: str = target,
            name: str = name,
            lock: BaseLock = lock,
            below: Layer | None = below,
        ) -> str:
            runner = builder()
            debs = fetch_debs(root, name, progress, source)
            progress(f"base {name}: installing {len(debs)} Debian packages with {runner.name}")
            with tempfile.TemporaryDirectory(dir=layer.parent) as folder:
                context, flat = Path(folder, "context"), Path(folder, "flat.tar")
                (context / "debs").mkdir(parents=True)
                for deb, entry in zip(debs, lock.debs(), strict=True):
                    os.link(deb, context / "debs" / f"{entry.name}.deb")
                if below:
                    os.link(below.path, context / "rootfs.tar")
                else:
                    write_rootfs(debs, context / "rootfs.tar")
                runner.build(_dockerfile(source), context, target, lock.epoch, flat)
                return canonical.write_layer(flat, below.path if below else None, layer, lock.epoch)

        key = _stage_key(source, target, lock, below)
        what = "compiler" if below else "Debian and Python"
        parts.append(Part(_made(root, key, make), f"{what}: {len(lock.packages)} packages of base {name}"))
    return parts


def _stages_are_made(root: Path, source: Path, locks: dict[str, BaseLock]) -> bool:
    """Whether the layers of the base are in the store, so that nothing of another processor has to be run."""
    below = None
    for target, lock in zip(STAGES, locks.values(), strict=False):
        below = _remembered(root, _stage_key(source, target, lock, below))
        if below is None:
            return False
    return True


def _stage_key(source: Path, target: str, lock: BaseLock, below: Layer | None) -> list[Any]:
    """What the layer of a stage follows from."""
    return [
        target,
        lock.epoch,
        sha256_of(_dockerfile(source)),
        below.digest if below else "",
        *lock.packages,
    ]


def _wheel_parts(
    root: Path, source: Path, row: ImageRow, epoch: int, progress: Progress, stop: threading.Event
) -> list[Part]:
    """One layer for each wheel of the row's lock; ``Stopped`` soon after ``stop`` is set."""
    wheels = check_lock(source, row)
    keys = {wheel: ["wheel", FORM, row.python, epoch, wheel.sha256] for wheel in wheels}
    missing = [wheel for wheel in wheels if _remembered(root, keys[wheel]) is None]
    files: dict[str, Path] = {}
    if missing:
        require_space(
            layer_store(root), 8 * sum(wheel.size for wheel in missing), f"the layers of {row.alias}"
        )
        folder = fetch_wheels(root, row, progress, source, stop)
        files = {sha256_of(file): file for file in folder.iterdir()}
        progress(f"{row.alias}: unpacking {len(missing)} of {len(wheels)} wheels")

    def part(wheel: Wheel) -> Part:
        if stop.is_set():
            raise Stopped

        def make(layer: Path) -> str:
            return write_wheel_layer(files[wheel.sha256], row.python, layer, epoch)

        return Part(_made(root, keys[wheel], make), wheel.pin)

    return [part(wheel) for wheel in sorted(wheels, key=_rank)]


def _rank(wheel: Wheel) -> tuple[bool, int, str]:
    return wheel.pin.partition("==")[0] not in HARNESS_NEEDS, -wheel.size, wheel.pin


def _made(root: Path, key: list[Any], make: Callable[[Path], str]) -> Layer:
    """The layer that ``make`` writes to the path it is given, returning its digest; from the store if made before."""
    if layer := _remembered(root, key):
        return layer
    with tempfile.TemporaryDirectory(dir=layer_store(root), prefix="building-") as folder:
        file = Path(folder, "layer.tar")
        digest = make(file)
        path = layer_path(root, digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        file.rename(path)
    write_whole(_note(root, key), digest.encode())
    return Layer(digest, path, path.stat().st_size)


def _remembered(root: Path, key: list[Any]) -> Layer | None:
    note = _note(root, key)
    if not note.exists():
        return None
    digest = note.read_text()
    path = layer_path(root, digest)
    return Layer(digest, path, path.stat().st_size) if path.exists() else None


def _note(root: Path, key: list[Any]) -> Path:
    return layer_store(root) / "made" / hashlib.sha256(canonical.canonical_json(key)).hexdigest()


def _small(root: Path, entries: list[Entry], epoch: int) -> Layer:
    """A layer of a few small files, written anew each time."""
    with tempfile.TemporaryDirectory(dir=layer_store(root), prefix="building-") as folder:
        file = Path(folder, "layer.tar")
        digest = canonical.write_entries(entries, file, epoch)
        path = layer_path(root, digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(file, path)
    return Layer(digest, path, path.stat().st_size)


# --- how it runs, and what it says of itself ----------------------------------------------------


def _run_config(source: Path, row: ImageRow, bases: dict[str, BaseLock]) -> dict[str, Any]:
    versions = {"cuda": row.cuda, "cudnn": row.cudnn, "nccl": row.nccl, "compiler": compiler(bases)}
    return {
        "User": "1000:1000",
        "Env": [
            "PATH=/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "PYTHONPATH=/opt/framebench",
            "PYTHONPYCACHEPREFIX=/cache/pyc",
            "PYTHONUNBUFFERED=1",
            "LC_ALL=C.UTF-8",
            "HOME=/home/bench",
            "NVIDIA_DRIVER_CAPABILITIES=compute,utility",
            f"FRAMEBENCH_IMAGE={row.name}",
            f"FRAMEBENCH_STACK={row.stack}",
            "FRAMEBENCH_LOCK=/opt/venv/lock.txt",
            *([f"FRAMEBENCH_CUDA={row.cuda}"] if row.cuda else []),
        ],
        "Entrypoint": ["python", "-m", "harness"],
        "WorkingDir": "/home/bench",
        "Labels": {
            LABEL: row.name,
            "org.framebench.stack": row.stack,
            "org.framebench.accelerator": row.accelerator,
            "org.framebench.lock-sha256": lock_sha256(source, row),
            "org.framebench.base-sha256": _base_sha256(bases),
        }
        | {f"org.framebench.{what}": version for what, version in versions.items() if version},
    }


def _row_key(row: ImageRow) -> list[str | None]:
    """What of a row is in the image itself."""
    return [
        row.name,
        row.stack,
        row.accelerator,
        row.python,
        row.arch,
        row.base,
        row.cuda,
        row.cudnn,
        row.nccl,
    ]


def _dockerfile(source: Path) -> Path:
    return source / "containers" / "Dockerfile"


def _base_sha256(bases: dict[str, BaseLock]) -> str:
    lines = [line for lock in bases.values() for line in lock.packages]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def compiler(bases: dict[str, BaseLock]) -> str | None:
    """E.g. ``g++-12 12.2.0-14+deb12u1``, from the base's lock; null where the base has no compiler."""
    compilers = [
        f"{d.name} {d.version}" for lock in bases.values() for d in lock.debs() if d.name.startswith("g++-")
    ]
    return compilers[0] if compilers else None
