"""A base's Debian packages as an OCI artifact: mirrors drop old versions, a registry keeps them.

Each package is a blob whose digest is the SHA-256 in the base's lock, so a lock is all that is needed to ask for it.
"""

from __future__ import annotations

from framebench.images.fetch.debs import BaseLock
from framebench.images.make.canonical import canonical_json, digest_of

KIND = "application/vnd.framebench.debs"
EMPTY = b"{}"
"""The config of an artifact that has none (OCI image spec, empty descriptor)."""


def deb_manifest(name: str, lock: BaseLock) -> bytes:
    """The manifest of the set of base ``name``; the same bytes for the same lock."""
    layers = [
        {
            "mediaType": "application/vnd.debian.binary-package",
            "digest": f"sha256:{deb.sha256}",
            "size": deb.size,
            "annotations": {"org.opencontainers.image.title": deb.path.rpartition("/")[2]},
        }
        for deb in lock.debs()
    ]
    return canonical_json(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "artifactType": KIND,
            "config": {
                "mediaType": "application/vnd.oci.empty.v1+json",
                "digest": digest_of(EMPTY),
                "size": len(EMPTY),
            },
            "layers": layers,
            "annotations": {
                "org.opencontainers.image.title": name,
                "org.opencontainers.image.description": f"Debian packages of base {name}, {lock.suite}",
            },
        }
    )
