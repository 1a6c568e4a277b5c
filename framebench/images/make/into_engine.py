"""From a row of the matrix, of this commit or another, to an image in the engine."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from framebench.errors import UserError
from framebench.images.folders import Progress, layer_store, one_at_a_time
from framebench.images.make import engine
from framebench.images.make.archive import write_for_engine
from framebench.images.make.assembly import LABEL, Assembled, assemble, inputs_sha256
from framebench.images.make.builder import BuilderName
from framebench.images.make.local import LocalImage, local_image, made_from, note_local
from framebench.images.matrix import ImageRow
from framebench.records import git_refusals


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
) -> LocalImage:
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
    if own and (current := local_image(root, row)):
        return current
    engine.refuse_other_processor(row.name, row.arch)  # before anything is fetched
    with one_at_a_time(root, progress):
        assembled = assemble(root, source, row, progress, builder)
        inputs = inputs_sha256(source, row, assembled.harness_tree_sha256)
        image = made_from(source, row, assembled.config_digest, inputs)
        _load(assembled, image.tag)
        if own:
            note_local(root, row, image)
        size = sum(layer.size for layer in assembled.layers)
        progress(f"{row.alias}: {image.tag}, {size / 1e9:.2f} GB")
    return image


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
        if why := git_refusals.refusal(root):
            raise UserError(f"{name} cannot be made as of commit {commit}: {why}.")
        done = subprocess.run(command, cwd=root, text=True, capture_output=True)
        if done.returncode:
            why = git_refusals.missing_commit(root, commit, done.stderr)
            raise UserError(f"{name} cannot be made again: {why}.")
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
