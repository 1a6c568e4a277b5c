"""From a row of the matrix to an image in the engine: base, compiler, packages, harness, one layer each."""

from __future__ import annotations

import fcntl
import hashlib
import itertools
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from framebench.errors import UserError
from framebench.images import canonical, engine
from framebench.images.canonical import Layer
from framebench.images.debs import BaseLock, fetch_debs, load_base_lock
from framebench.images.fetch import Progress, fetch_wheels, require_space, sha256_of
from framebench.images.layer import (
    harness_files,
    harness_layer,
    harness_tree_sha256,
    spec_version,
    tree_sha256,
)
from framebench.images.lock import check_lock, lock_path, lock_sha256
from framebench.images.matrix import ImageRow, load_matrix
from framebench.images.rootfs import write_rootfs

LABEL = "org.framebench.image"
SPEC_VERSION_LABEL = "org.framebench.spec-version"


class BuiltImage(msgspec.Struct, frozen=True, kw_only=True):
    """What was built; ``build/images/<name>.json``. Digests are ``sha256:<hex>``, ``*_sha256`` bare hex."""

    name: str
    tag: str
    config_digest: str
    """The image's identity."""
    packages_digest: str
    """Identity of the same image without its harness layer."""
    lock_sha256: str
    base_sha256: str
    compiler: str | None
    harness_tree_sha256: str
    size_bytes: int
    """Sum of the uncompressed layers."""
    built_utc: str
    inputs_sha256: str
    """Over everything the image is made from: equal inputs need no build."""


def build(root: Path, row: ImageRow, progress: Progress, source: Path | None = None) -> BuiltImage:
    """Build the image of ``row`` and load it into the engine; nothing is done twice.

    ``source`` is another checkout whose ``containers/`` and ``harness/`` are used instead of ``root``'s;
    the store (``root/build/store``) is shared, and ``build/images`` and the alias stay as they are.

    Raises
    ------
    BaseUnavailable
        when the base's Debian packages cannot be had.
    UserError
        when a lock, the engine or the disk is not in order; the sentence holds the mend.
    """
    engine.require_engine()
    own = source is None or source == root
    source = source or root
    if own and (current := built(root, row)):
        return current
    if row.arch != "amd64":
        raise UserError(f"Image '{row.name}' is for {row.arch}; framebench builds for amd64 only.")
    with _one_at_a_time(root, progress):
        harness = harness_files(source)  # read once: what is labelled is what is in the layer
        layers, bases = _base_layers(root, source, row, progress)
        layers.append(_packages_layer(root, source, row, layers, bases, progress))
        epoch = bases[0].epoch
        run = _run_config(source, row, layers, bases)
        packages = canonical.config(layers, run, epoch)
        layers.append(_stored(root, harness_layer(harness, epoch)))
        run["Labels"]["org.framebench.harness-tree-sha256"] = tree_sha256(harness)
        run["Labels"][SPEC_VERSION_LABEL] = spec_version(harness)
        image = canonical.config(layers, run, epoch)
        digest = canonical.digest_of(image)
        result = BuiltImage(
            name=row.name,
            tag=f"framebench/{row.name}:{_short(digest)}",
            config_digest=digest,
            packages_digest=canonical.digest_of(packages),
            lock_sha256=lock_sha256(source, row),
            base_sha256=_base_sha256(bases),
            compiler=_compiler(bases),
            harness_tree_sha256=tree_sha256(harness),
            size_bytes=sum(layer.size for layer in layers),
            built_utc=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            inputs_sha256=_inputs(source, row, tree_sha256(harness)),
        )
        _load(image, layers, result.tag, progress)
        if own:
            if row.default:
                engine.docker("tag", result.tag, f"framebench/{row.alias}:latest")
            _write(_built_path(root, row), msgspec.json.format(msgspec.json.encode(result)))
        progress(f"{row.alias}: {result.tag}, {result.size_bytes / 1e9:.2f} GB")
    return result


def built(root: Path, row: ImageRow) -> BuiltImage | None:
    """What was built for this row, if nothing it is made from has changed and the engine still has it."""
    try:
        known = msgspec.json.decode(_built_path(root, row).read_bytes(), type=BuiltImage)
    except (FileNotFoundError, msgspec.ValidationError, msgspec.DecodeError):
        return None
    if known.inputs_sha256 != _inputs(root, row, harness_tree_sha256(root)):
        return None
    details = engine.inspect(known.tag)
    return known if details and identity(details) == known.config_digest else None


def find_by_digest(root: Path, config_digest: str) -> str | None:
    """Tag (or id, where untagged) of the local image whose identity is ``config_digest``."""
    for reference in engine.references(LABEL):
        details = engine.inspect(reference)
        if details and identity(details) == config_digest:
            return reference
    return None


def identity(details: dict[str, Any]) -> str | None:
    """Config digest of an image, made anew from what the engine says is in it; null if it is not one of ours.

    An engine's ``.Id`` is the config's digest in one image store and the manifest's in another.
    """
    said = {key: value for key, value in details["Config"].items() if value}
    if set(said) != {"User", "Env", "Entrypoint", "WorkingDir", "Labels"}:
        return None
    document = {
        "architecture": details["Architecture"],
        "config": said,
        "created": details["Created"],
        "os": details["Os"],
        "rootfs": {"type": "layers", "diff_ids": details["RootFS"]["Layers"]},
    }
    return canonical.digest_of(canonical.canonical_json(document))


def rebuild_at(root: Path, commit: str, name: str, progress: Progress) -> BuiltImage:
    """Build the image ``name`` from locks and harness of another commit; the caller compares digests."""
    folder = _store(root) / "commits" / f"{os.getpid()}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        archive = folder / "archive.tar"
        command = ["git", "archive", "--output", str(archive), commit, "containers", "harness"]
        done = subprocess.run(command, cwd=root, text=True, capture_output=True)
        if done.returncode:
            raise UserError(
                f"git has no containers/ and harness/ of commit {commit}: {done.stderr.strip()};"
                " fetch the whole history (`git fetch --unshallow`) and run again."
            )
        subprocess.run(["tar", "-xf", str(archive), "-C", str(folder)], check=True)
        archive.unlink()
        progress(f"rebuilding {name} as of commit {commit[:12]}")
        return build(root, load_matrix(folder).find(name), progress, source=folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# --- the layers --------------------------------------------------------------------------------


def _base_layers(
    root: Path, source: Path, row: ImageRow, progress: Progress
) -> tuple[list[Layer], list[BaseLock]]:
    """The layers of the row's base, bottom first, with their locks."""
    names = [row.base]
    while parent := load_base_lock(source, names[0]).parent:
        names.insert(0, parent)
    locks = [load_base_lock(source, name) for name in names]
    layers: list[Layer] = []
    for name, lock in zip(names, locks, strict=True):
        below = list(layers)

        def make(context: Path, name: str = name, below: list[Layer] = below, lock: BaseLock = lock) -> None:
            debs = fetch_debs(root, name, progress, source)
            progress(f"base {name}: installing {len(debs)} Debian packages")
            (context / "debs").mkdir()
            for deb, entry in zip(debs, lock.debs(), strict=True):
                os.link(deb, context / "debs" / f"{entry.name}.deb")
            if not below:
                write_rootfs(debs, context / "rootfs.tar")

        target = "compiler" if below else "base"
        key = [target, lock.epoch, *lock.packages]
        layers.append(_made(root, source, key, target, below, lock.epoch, make, progress))
    return layers, locks


def _packages_layer(
    root: Path, source: Path, row: ImageRow, below: list[Layer], bases: list[BaseLock], progress: Progress
) -> Layer:
    def make(context: Path) -> None:
        wheels = check_lock(source, row)
        require_space(_store(root), 12 * sum(wheel.size for wheel in wheels), f"the layers of {row.alias}")
        folder = fetch_wheels(root, row, progress, source)
        progress(f"{row.alias}: installing {len(wheels)} packages")
        shutil.copytree(folder, context / "wheels", copy_function=os.link)
        shutil.copyfile(lock_path(source, row), context / "lock.txt")

    key = ["packages", row.python, lock_sha256(source, row)]
    return _made(root, source, key, "packages", below, bases[0].epoch, make, progress)


def _made(
    root: Path,
    source: Path,
    key: list[Any],
    target: str,
    below: list[Layer],
    epoch: int,
    make: Callable[[Path], None],
    progress: Progress,
) -> Layer:
    """The layer that stage ``target`` of the Dockerfile adds to ``below``; from the store if made before.

    ``make`` fills the build's context folder, and is only called when the layer has to be built.
    """
    dockerfile = source / "containers" / "Dockerfile"
    parts = [*key, epoch, sha256_of(dockerfile), *(layer.digest for layer in below)]
    remembered = _store(root) / "made" / hashlib.sha256(canonical.canonical_json(parts)).hexdigest()
    if remembered.exists():
        digest = remembered.read_text()
        if (path := _layer_path(root, digest)).exists():
            return Layer(digest, path, path.stat().st_size)
    parent = _parent_image(below, epoch, progress) if below else "scratch"
    with tempfile.TemporaryDirectory(dir=_store(root), prefix="building-") as folder:
        context, flat, layer = Path(folder, "context"), Path(folder, "flat.tar"), Path(folder, "layer.tar")
        context.mkdir()
        make(context)
        engine.build(dockerfile, context, target, parent, epoch, flat)
        # the stage `packages` exports what it adds; `compiler` exports its parent's files too
        digest = canonical.write_layer(flat, below[-1].path if target == "compiler" else None, layer, epoch)
        path = _layer_path(root, digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        layer.rename(path)
    _write(remembered, digest.encode())
    return Layer(digest, path, path.stat().st_size)


def _parent_image(layers: list[Layer], epoch: int, progress: Progress) -> str:
    """Load the layers as an image that a build can start FROM; its tag."""
    image = canonical.config(layers, {"Labels": {"org.framebench.base": layers[-1].digest}}, epoch)
    tag = f"framebench-base:{_short(canonical.digest_of(image))}"
    details = engine.inspect(tag)
    if details is None or details["RootFS"]["Layers"] != [layer.digest for layer in layers]:
        _load(image, layers, tag, progress)
    return tag


def _stored(root: Path, content: bytes) -> Layer:
    digest = canonical.digest_of(content)
    path = _layer_path(root, digest)
    if not path.exists():
        _write(path, content)
    return Layer(digest, path, len(content))


def _load(image: bytes, layers: list[Layer], tag: str, progress: Progress) -> None:
    """``docker load`` the image, leaving out the lower layers that a local image of ours already holds."""
    digests = [layer.digest for layer in layers]
    held: list[str] = []
    if engine.keeps_layers_unpacked():
        for reference in [*engine.references(LABEL), *engine.references("org.framebench.base")]:
            details = engine.inspect(reference)
            pairs = zip(digests, details["RootFS"]["Layers"] if details else [], strict=False)
            common = [ours for ours, theirs in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs)]
            held = max(held, common, key=len)
    engine.load(lambda stream: canonical.write_archive(stream, image, layers, tag, frozenset(held)))
    details = engine.inspect(tag)
    if details is None or details["RootFS"]["Layers"] != digests:
        raise UserError(
            f"The Docker engine did not take {tag} as it was made; `docker rmi {tag}` and run again."
        )


# --- what an image is made from, and where things lie -------------------------------------------


def _run_config(source: Path, row: ImageRow, layers: list[Layer], bases: list[BaseLock]) -> dict[str, Any]:
    labels = {
        LABEL: row.name,
        "org.framebench.stack": row.stack,
        "org.framebench.accelerator": row.accelerator,
        "org.framebench.lock-sha256": lock_sha256(source, row),
        "org.framebench.base-sha256": _base_sha256(bases),
    }
    if compiler := _compiler(bases):
        labels["org.framebench.compiler"] = compiler
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
        ],
        "Entrypoint": ["python", "-m", "harness"],
        "WorkingDir": "/home/bench",
        "Labels": labels,
    }


def _inputs(source: Path, row: ImageRow, harness: str) -> str:
    parts = [
        msgspec.to_builtins(row),
        lock_sha256(source, row),
        sha256_of(source / "containers" / "Dockerfile"),
    ]
    name: str | None = row.base
    while name:
        lock = load_base_lock(source, name)
        parts.append(msgspec.to_builtins(lock))
        name = lock.parent
    return hashlib.sha256(canonical.canonical_json([*parts, harness])).hexdigest()


def _base_sha256(bases: list[BaseLock]) -> str:
    """Over the Debian packages that the base is made of."""
    lines = [line for lock in bases for line in lock.packages]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _compiler(bases: list[BaseLock]) -> str | None:
    """E.g. ``g++-12 12.2.0-14+deb12u1``, from the base's lock; null where the base has no compiler."""
    compilers = [f"{d.name} {d.version}" for lock in bases for d in lock.debs() if d.name.startswith("g++-")]
    return compilers[0] if compilers else None


def _store(root: Path) -> Path:
    folder = root / "build" / "store" / "images"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _layer_path(root: Path, digest: str) -> Path:
    return _store(root) / "layers" / f"{digest.removeprefix('sha256:')}.tar"


def _built_path(root: Path, row: ImageRow) -> Path:
    return root / "build" / "images" / f"{row.name}.json"


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:12]


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_bytes(content)
    temporary.rename(path)


@contextmanager
def _one_at_a_time(root: Path, progress: Progress) -> Iterator[None]:
    """Two builds into one store wait for each other; what a killed build left behind is cleared."""
    with (_store(root) / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("waiting for another build of this checkout to end")
            fcntl.flock(file, fcntl.LOCK_EX)
        for left in _store(root).glob("building-*"):
            shutil.rmtree(left, ignore_errors=True)
        yield
