"""An image as one file for machines without a network: an OCI archive and its checksum."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from framebench.errors import UserError
from framebench.images.fetch.wheels import require_space, sha256_of
from framebench.images.folders import Progress, one_at_a_time, write_whole
from framebench.images.make import archive
from framebench.images.make.assembly import assemble
from framebench.images.matrix import ImageRow
from framebench.images.ship.annotations import manifest_annotations


class Exported(NamedTuple):
    path: Path
    config_digest: str
    tag: str
    """What Docker and Podman call the image once it is loaded."""


def export(root: Path, row: ImageRow, output: Path | None, progress: Progress) -> Exported:
    """Write the image of ``row`` to ``output`` and its SHA-256 to ``<output>.sha256``; whole or not at all.

    By default the file is ``<name>-<first 12 of the config digest>.oci.tar`` in the current folder.
    """
    if output is not None and not output.parent.is_dir():
        raise UserError(f"--output {output}: there is no folder {output.parent}.")
    with one_at_a_time(root, progress):
        assembled = assemble(root, root, row, progress)
        progress(f"{row.alias}: compressing what is not compressed yet")
        blobs = archive.compress(root, assembled.layers)
    short = assembled.config_digest.removeprefix("sha256:")[:12]
    tag = f"framebench/{row.name}:{short}"
    manifest = archive.published_manifest(assembled.image, blobs, manifest_annotations(root, assembled))
    path = output or Path(f"{row.name}-{short}.oci.tar")
    size = sum(blob.size for blob in blobs)
    require_space(path.absolute().parent, size, f"the archive of {row.alias}")
    progress(f"{row.alias}: writing {size / 1e6:,.0f} MB")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            archive.write_tar(file, archive.image_files(assembled.image, manifest, blobs, tag))
        checksum = f"{sha256_of(temporary)}  {path.name}\n"
        temporary.rename(path)
    finally:
        temporary.unlink(missing_ok=True)
    write_whole(path.with_name(f"{path.name}.sha256"), checksum.encode())
    return Exported(path, assembled.config_digest, tag)


def commands(exported: Exported) -> list[str]:
    """Lines that say how the file is checked, loaded and run elsewhere; each run is one small trial."""
    file = exported.path.name
    run = "run --rm --network none --read-only --tmpfs /tmp:exec --cap-drop ALL"
    return [
        f"check it:        sha256sum --check {file}.sha256",
        f"with Docker:     docker load --input {file} && docker {run} {exported.tag}",
        f"with Podman:     podman load --input {file} && podman {run} docker.io/{exported.tag}",
        f"with Apptainer:  apptainer run --containall oci-archive:{file}",
    ]
