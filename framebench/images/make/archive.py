"""An image's files: as the tar that ``docker load`` takes, as the archive that is exported, as what is published."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, NamedTuple

from framebench.images.fetch.wheels import require_space, sha256_of
from framebench.images.folders import layer_store
from framebench.images.make.canonical import Layer, canonical_json, digest_of

_KIND = "application/vnd.oci.image"
_LEVEL = 6  # of gzip; a published layer's digest depends on it, the image's identity does not


REFERENCE = "org.opencontainers.image.ref.name"
"""Annotation by which a manifest is found in an OCI layout."""


class Blob(NamedTuple):
    """A compressed layer."""

    digest: str  # sha256:<hex> of the gzip file
    path: Path
    size: int  # bytes


def write_for_engine(
    stream: IO[bytes], image: bytes, layers: list[Layer], tag: str, omit: frozenset[str] = frozenset()
) -> None:
    """Write an image as what ``docker load`` of both image stores takes, its layers uncompressed.

    ``omit`` names layers whose bytes are left out because the engine has them already.
    """
    manifest = _manifest(image, [(layer.digest, layer.size) for layer in layers], "tar", {})
    files = image_files(image, manifest, layers, tag)
    write_tar(stream, {name: files[name] for name in files.keys() - {_place(digest) for digest in omit}})


def compress(root: Path, layers: list[Layer]) -> list[Blob]:
    """The layers as gzip files, kept in the store; the same bytes for the same zlib."""
    folder = layer_store(root) / "compressed"
    todo = sum(layer.size for layer in layers if not _compressed_path(folder, layer).exists())
    require_space(folder, todo, "the compressed layers")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda layer: _compressed(folder, layer), layers))


def published_manifest(image: bytes, blobs: list[Blob], annotations: Mapping[str, str]) -> bytes:
    """The manifest under whose digest a registry offers the image."""
    return _manifest(image, [(blob.digest, blob.size) for blob in blobs], "tar+gzip", annotations)


def image_files(
    image: bytes, manifest: bytes, layers: Sequence[Layer | Blob], tag: str
) -> dict[str, bytes | Path]:
    """Name and content of every file of an image: an OCI layout, and ``manifest.json``, which older Docker reads.

    Skopeo, Podman, Apptainer and current Docker take the layout, Docker up to 24 only the other; both name the same
    files.
    """
    for_docker = {
        "Config": _place(digest_of(image)),
        "RepoTags": [tag],
        "Layers": [_place(layer.digest) for layer in layers],
    }
    name = f"docker.io/{tag if '/' in tag else 'library/' + tag}"
    notes = {"io.containerd.image.name": name, REFERENCE: tag.rpartition(":")[2]}
    return {
        "manifest.json": canonical_json([for_docker]),
        **layout_files(image, manifest, {layer.digest: layer.path for layer in layers}, notes),
    }


def layout_files(
    config: bytes, manifest: bytes, blobs: Mapping[str, Path], notes: Mapping[str, str]
) -> dict[str, bytes | Path]:
    """Name and content of every file of an OCI layout; ``notes`` are the annotations that name the manifest in it."""
    entry = {
        "mediaType": f"{_KIND}.manifest.v1+json",
        "digest": digest_of(manifest),
        "size": len(manifest),
        "annotations": dict(notes),
    }
    return {
        "oci-layout": canonical_json({"imageLayoutVersion": "1.0.0"}),
        "index.json": canonical_json({"schemaVersion": 2, "manifests": [entry]}),
        _place(digest_of(config)): config,
        _place(digest_of(manifest)): manifest,
        **{_place(digest): path for digest, path in blobs.items()},
    }


def write_tar(stream: IO[bytes], files: Mapping[str, bytes | Path]) -> None:
    """The files as one tar, small ones first, with fixed times and owners: equal files, equal bytes."""
    with tarfile.open(fileobj=stream, mode="w|", format=tarfile.GNU_FORMAT) as out:
        for name, content in sorted(files.items(), key=lambda file: (isinstance(file[1], Path), file[0])):
            header = tarfile.TarInfo(name)
            header.mode = 0o644
            if isinstance(content, bytes):
                header.size = len(content)
                out.addfile(header, io.BytesIO(content))
            else:
                header.size = content.stat().st_size
                with content.open("rb") as file:
                    out.addfile(header, file)


def write_folder(folder: Path, files: Mapping[str, bytes | Path]) -> None:
    """The files below ``folder``, those that lie on the disk as hard links."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            os.link(content, path)


def _manifest(
    image: bytes, layers: list[tuple[str, int]], form: str, annotations: Mapping[str, str]
) -> bytes:
    document: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": f"{_KIND}.manifest.v1+json",
        "config": {"mediaType": f"{_KIND}.config.v1+json", "digest": digest_of(image), "size": len(image)},
        "layers": [
            {"mediaType": f"{_KIND}.layer.v1.{form}", "digest": digest, "size": size}
            for digest, size in layers
        ],
    }
    if annotations:
        document["annotations"] = dict(annotations)
    return canonical_json(document)


def _place(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")


def _compressed(folder: Path, layer: Layer) -> Blob:
    path = _compressed_path(folder, layer)
    if not path.exists():
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        with (
            temporary.open("wb") as file,
            gzip.GzipFile("", "wb", _LEVEL, fileobj=file, mtime=0) as out,
            layer.path.open("rb") as source,
        ):
            while block := source.read(1 << 20):
                out.write(block)
        temporary.rename(path)
    return Blob(f"sha256:{sha256_of(path)}", path, path.stat().st_size)


def _compressed_path(folder: Path, layer: Layer) -> Path:
    return folder / f"{layer.digest.removeprefix('sha256:')}.gz"
