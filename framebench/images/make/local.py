"""What of ours the engine has: found by identity, and the image of each row that this checkout measures in."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from framebench.images.folders import write_whole
from framebench.images.locks import lock_sha256
from framebench.images.make import canonical, engine
from framebench.images.make.assembly import LABEL, base_locks, compiler, inputs_sha256
from framebench.images.make.harness_layer import harness_tree_sha256
from framebench.images.matrix import ImageRow


class LocalImage(msgspec.Struct, frozen=True, kw_only=True):
    """An image in the engine, built here or pulled; ``build/images/<name>.json``."""

    name: str
    tag: str
    config_digest: str
    """The image's identity, ``sha256:<hex>``."""
    lock_sha256: str
    compiler: str | None
    inputs_sha256: str
    """Over everything the image is made from: equal inputs need no build."""


class Here(NamedTuple):
    """An image of a row that the engine has, and all that the engine says of it."""

    image: LocalImage
    details: dict[str, Any]


def local_images(root: Path, rows: Iterable[ImageRow], harness_tree: str | None = None) -> dict[str, Here]:
    """By the row's name, the images of which nothing they are made from has changed and that the engine still has.

    ``harness_tree`` is the hash of the checkout's ``harness/``, where the caller knows it.
    """
    noted = {row.name: (row, image) for row in rows if (image := _noted(root, row))}
    if noted and harness_tree is None:
        harness_tree = harness_tree_sha256(root)
    current = {
        name: image
        for name, (row, image) in noted.items()
        if image.inputs_sha256 == inputs_sha256(root, row, harness_tree or "")
    }
    answers = engine.inspect_all([image.tag for image in current.values()])
    return {
        name: Here(image, details)
        for (name, image), details in zip(current.items(), answers, strict=True)
        if details and identity(details) == image.config_digest
    }


def local_image(root: Path, row: ImageRow) -> LocalImage | None:
    """The image of this row, if nothing it is made from has changed and the engine still has it."""
    here = local_images(root, [row]).get(row.name)
    return here.image if here else None


def made_from(source: Path, row: ImageRow, config_digest: str, inputs: str) -> LocalImage:
    """Facts of the image that was made from the checkout ``source``; ``inputs`` as ``inputs_sha256`` gives it."""
    return LocalImage(
        name=row.name,
        tag=local_tag(row, config_digest),
        config_digest=config_digest,
        lock_sha256=lock_sha256(source, row),
        compiler=compiler(base_locks(source, row)),
        inputs_sha256=inputs,
    )


def note_local(root: Path, row: ImageRow, image: LocalImage) -> None:
    """From now on this image, which the engine has under its tag, is the row's."""
    engine.docker("tag", image.tag, f"framebench/{row.alias}:latest")
    write_whole(_path(root, row), msgspec.json.format(msgspec.json.encode(image)))


def local_tag(row: ImageRow, config_digest: str) -> str:
    """What an image is called in the engine."""
    return f"framebench/{row.name}:{config_digest.removeprefix('sha256:')[:12]}"


def find_by_digest(config_digest: str) -> str | None:
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


def _noted(root: Path, row: ImageRow) -> LocalImage | None:
    try:
        return msgspec.json.decode(_path(root, row).read_bytes(), type=LocalImage)
    except (FileNotFoundError, msgspec.ValidationError, msgspec.DecodeError):
        return None


def _path(root: Path, row: ImageRow) -> Path:
    return root / "build" / "images" / f"{row.name}.json"
