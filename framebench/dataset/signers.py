"""Who vouches for a file: the signatures of those manifests that list it as it is now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from framebench.records.manifest_document import Manifest
from framebench.records.manifests import sha256
from framebench.records.signature import Signature, judge

Signers = Mapping[str, list[Signature]]
"""By the id of a trial or a reproduction; none where it is unsigned."""


def signers(manifests: Iterable[tuple[Path, Manifest]], allowed_signers: Path | None) -> Signers:
    """Each manifest's signature counts for the records and reproductions whose SHA-256 it has; a wrong one for none."""
    found: dict[str, list[Signature]] = defaultdict(list)
    for path, manifest in manifests:
        signature = judge(path, allowed_signers)
        if signature is None or signature.state == "wrong":
            continue
        for place, digest in manifest.files.items():
            file = path.parents[2] / place
            if file.suffix == ".json" and file.is_file() and sha256(file) == digest:
                found[file.stem].append(signature)
    return found
