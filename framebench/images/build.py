"""From a row of the matrix to an image in the engine, and what of ours the engine has."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from framebench.errors import UserError
from framebench.images import canonical, engine
from framebench.images.archive import write_for_engine
from framebench.images.assemble import LABEL, Assembled, assemble, inputs_sha256
from framebench.images.builder import BuilderName
from framebench.images.folders import Progress, layer_store, one_at_a_time, write_whole
from framebench.images.harness_layer import harness_tree_sha256
from framebench.images.matrix import ImageRow


class BuiltLayer(msgspec.Struct, frozen=True, kw_only=True):
    digest: str
    size_bytes: int
    """Uncompressed."""
    holds: str


class BuiltImage(msgspec.Struct, frozen=True, kw_only=True):
    """What was built; ``build/images/<name>.json``. Digests are ``sha256:<hex>``, ``*_sha256`` bare hex."""

    name: str
    tag: str
    config_digest: str
    """The image's identity."""
    lock_sha256: str
    base_sha256: str
    compiler: str | None
    harness_tree_sha256: str
    layers: list[BuiltLayer]
    built_utc: str
    inputs_sha256: str
    """Over everything the image is made from: equal inputs need no build."""

    @property
    def size_bytes(self) -> int:
        """Sum of the uncompressed layers."""
        return sum(layer.size_bytes for layer in self.layers)


class Rebuilt(msgspec.Struct, frozen=True):
    """An image that another commit's code has built."""

    config_digest: str
    tag: str


def build(
    root: Path,
    row: ImageRow,
    progress: Progress,
    source: Path | None = None,
    builder: BuilderName | None = None,
) -> BuiltImage:
    """Build the image of ``row`` and load it into the engine; nothing is done twice.

    ``source`` is another checkout whose ``containers/`` and ``harness/`` are used instead of ``root``'s;
    the store (``root/build/store``) is shared, and ``build/images`` and the alias stay as they are. Later versions
    of framebench call this with ``(root, row, progress, source=...)`` to make a commit's images by its own code.

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
    with one_at_a_time(root, progress):
        assembled = assemble(root, source, row, progress, builder)
        result = BuiltImage(
            name=row.name,
            tag=f"framebench/{row.name}:{assembled.config_digest.removeprefix('sha256:')[:12]}",
            config_digest=assembled.config_digest,
            lock_sha256=assembled.lock_sha256,
            base_sha256=assembled.base_sha256,
            compiler=assembled.compiler,
            harness_tree_sha256=assembled.harness_tree_sha256,
            layers=[
                BuiltLayer(digest=part.layer.digest, size_bytes=part.layer.size, holds=part.holds)
                for part in assembled.parts
            ],
            built_utc=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            inputs_sha256=inputs_sha256(source, row, assembled.harness_tree_sha256),
        )
        _load(assembled, result.tag)
        if own:
            engine.docker("tag", result.tag, f"framebench/{row.alias}:latest")
            write_whole(_built_path(root, row), msgspec.json.format(msgspec.json.encode(result)))
        progress(f"{row.alias}: {result.tag}, {result.size_bytes / 1e9:.2f} GB")
    return result


def built(root: Path, row: ImageRow) -> BuiltImage | None:
    """What was built for this row, if nothing it is made from has changed and the engine still has it."""
    try:
        known = msgspec.json.decode(_built_path(root, row).read_bytes(), type=BuiltImage)
    except (FileNotFoundError, msgspec.ValidationError, msgspec.DecodeError):
        return None
    if known.inputs_sha256 != inputs_sha256(root, row, harness_tree_sha256(root)):
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


def rebuild_at(root: Path, commit: str, name: str, progress: Progress) -> Rebuilt:
    """Build the image ``name`` of another commit by that commit's own code; the caller compares digests.

    How an image is put together may change from commit to commit, so its recipe is the code of its commit. The
    store is shared, and so is this environment: what framebench imports has to suit the older code.
    """
    folder = layer_store(root) / "commits" / f"{time.monotonic_ns()}"
    folder.mkdir(parents=True)
    try:
        archive = folder / "archive.tar"
        parts = ["containers", "harness", "framebench"]
        command = ["git", "archive", "--output", str(archive), commit, *parts]
        done = subprocess.run(command, cwd=root, text=True, capture_output=True)
        if done.returncode:
            raise UserError(
                f"git has no {', '.join(parts)} of commit {commit}: {done.stderr.strip()};"
                " fetch the whole history (`git fetch --unshallow`) and run again."
            )
        subprocess.run(["tar", "-xf", str(archive), "-C", str(folder)], check=True)
        archive.unlink()
        progress(f"rebuilding {name} as of commit {commit[:12]}")
        script = Path(__file__).with_name("rebuild_script.py")
        answer = folder / "built.json"
        with subprocess.Popen(
            [sys.executable, "-P", str(script), str(folder), str(root), name, str(answer)],
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as process:
            assert process.stdout is not None
            said = ""
            for line in process.stdout:
                said = line.rstrip("\n")
                progress(said)
        if process.returncode or not answer.exists():
            raise UserError(f"the code of commit {commit[:12]} could not build {name}: {said}")
        return msgspec.json.decode(answer.read_bytes(), type=Rebuilt)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _load(assembled: Assembled, tag: str) -> None:
    """``docker load`` the image, leaving out the lower layers that a local image of ours already holds."""
    digests = [layer.digest for layer in assembled.layers]
    held: list[str] = []
    if engine.keeps_layers_unpacked():
        for reference in engine.references(LABEL):
            details = engine.inspect(reference)
            pairs = zip(digests, details["RootFS"]["Layers"] if details else [], strict=False)
            common = [ours for ours, theirs in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs)]
            held = max(held, common, key=len)
    engine.load(
        lambda stream: write_for_engine(stream, assembled.image, assembled.layers, tag, frozenset(held))
    )
    details = engine.inspect(tag)
    if details is None or details["RootFS"]["Layers"] != digests:
        raise UserError(
            f"The Docker engine did not take {tag} as it was made; `docker rmi {tag}` and run again."
        )


def _built_path(root: Path, row: ImageRow) -> Path:
    return root / "build" / "images" / f"{row.name}.json"
