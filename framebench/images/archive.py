"""Images as archives: what ``docker load`` takes, and the OCI archive that is exported and published."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, NamedTuple

from framebench.images.canonical import Layer, canonical_json, digest_of
from framebench.images.fetch import sha256_of
from framebench.images.folders import layer_store

_KIND = "application/vnd.oci.image"
_LEVEL = 6  # of gzip; a published layer's digest depends on it, the image's identity does not


class Blob(NamedTuple):
    """A compressed layer."""

    digest: str  # sha256:<hex> of the gzip file
    path: Path
    size: int  # bytes


def write_for_engine(
    stream: IO[bytes], image: bytes, layers: list[Layer], tag: str, omit: frozenset[str] = frozenset()
) -> None:
    """Write an image as what ``docker load`` of both image stores takes: OCI layout and ``manifest.json``.

    ``omit`` names layers whose bytes are left out because the engine has them already.
    """
    manifest = _manifest(image, [(layer.digest, layer.size) for layer in layers], "tar", {})
    name = f"docker.io/{tag if '/' in tag else 'library/' + tag}"
    for_docker = {
        "Config": _place(digest_of(image)),
        "RepoTags": [tag],
        "Layers": [_place(layer.digest) for layer in layers],
    }
    with tarfile.open(fileobj=stream, mode="w|", format=tarfile.GNU_FORMAT) as out:
        _add(out, "manifest.json", canonical_json([for_docker]))
        _add_layout(
            out, image, manifest, {"io.containerd.image.name": name, _REFERENCE: tag.rpartition(":")[2]}
        )
        for layer in {layer.digest: layer for layer in layers if layer.digest not in omit}.values():
            _add(out, _place(layer.digest), layer.path)


def compress(root: Path, layers: list[Layer]) -> list[Blob]:
    """The layers as gzip files, kept in the store; the same bytes for the same zlib."""
    folder = layer_store(root) / "compressed"
    folder.mkdir(exist_ok=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda layer: _compressed(folder, layer), layers))


def published_manifest(image: bytes, blobs: list[Blob], annotations: Mapping[str, str]) -> bytes:
    """The manifest under whose digest a registry offers the image."""
    return _manifest(image, [(blob.digest, blob.size) for blob in blobs], "tar+gzip", annotations)


def write_oci_archive(target: Path, image: bytes, manifest: bytes, blobs: list[Blob], reference: str) -> None:
    """Write the published form as one file that skopeo, Podman, Apptainer and ``docker load`` (25+) read."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with tarfile.open(temporary, mode="w", format=tarfile.GNU_FORMAT) as out:
            _add_layout(out, image, manifest, {_REFERENCE: reference})
            for blob in {blob.digest: blob for blob in blobs}.values():
                _add(out, _place(blob.digest), blob.path)
        temporary.rename(target)
    finally:
        temporary.unlink(missing_ok=True)


_REFERENCE = "org.opencontainers.image.ref.name"


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


def _add_layout(out: tarfile.TarFile, image: bytes, manifest: bytes, notes: Mapping[str, str]) -> None:
    entry = {
        "mediaType": f"{_KIND}.manifest.v1+json",
        "digest": digest_of(manifest),
        "size": len(manifest),
        "annotations": dict(notes),
    }
    _add(out, "oci-layout", canonical_json({"imageLayoutVersion": "1.0.0"}))
    _add(out, "index.json", canonical_json({"schemaVersion": 2, "manifests": [entry]}))
    _add(out, _place(digest_of(image)), image)
    _add(out, _place(digest_of(manifest)), manifest)


def _add(out: tarfile.TarFile, name: str, content: bytes | Path) -> None:
    header = tarfile.TarInfo(name)
    header.mode = 0o644
    if isinstance(content, bytes):
        header.size = len(content)
        out.addfile(header, io.BytesIO(content))
    else:
        header.size = content.stat().st_size
        with content.open("rb") as file:
            out.addfile(header, file)


def _place(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")


def _compressed(folder: Path, layer: Layer) -> Blob:
    path = folder / f"{layer.digest.removeprefix('sha256:')}.gz"
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
    digest = sha256_of(path)
    return Blob(f"sha256:{digest}", path, path.stat().st_size)
