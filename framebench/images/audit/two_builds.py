"""Whether an image comes out bit for bit the same: two clean builds, compared, and their first difference if not."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import tarfile
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from framebench.errors import UserError
from framebench.images.audit.licences import note_licences
from framebench.images.fetch.debs import fetch_debs
from framebench.images.fetch.wheels import fetch_wheels
from framebench.images.folders import Progress, layer_store, write_whole
from framebench.images.make import canonical
from framebench.images.make.archive import Blob, compress, published_manifest
from framebench.images.make.assembly import Assembled, Part, assemble, base_locks
from framebench.images.make.builder import BuilderName, choose_builder
from framebench.images.make.harness_layer import harness_files
from framebench.images.matrix import ImageRow
from framebench.images.published import load_published
from framebench.images.ship.annotations import manifest_annotations


class RebuiltLayer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    holds: str
    digest: str
    """Of the uncompressed tar: the same on every machine and day, or the layer is not canonical."""
    size_bytes: int
    compressed_bytes: int

    @property
    def is_package(self) -> bool:
        """Whether it holds a wheel of the lock."""
        return "==" in self.holds


class Rebuild(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How two clean builds of an image compared; an entry of ``containers/rebuilds.json``."""

    name: str
    checked_utc: str
    builder: str
    identical: bool
    config_digest: str
    """Of the first build; the image's identity."""
    manifest_digest: str
    """Of the first build, compressed: what a registry would offer, with the zlib of the machine that checked."""
    layers: list[RebuiltLayer]
    difference: str | None = None
    """The first difference in words; null where there is none."""

    @property
    def size_bytes(self) -> int:
        """Unpacked."""
        return sum(layer.size_bytes for layer in self.layers)

    @property
    def compressed_bytes(self) -> int:
        """What a pull from nothing transfers."""
        return sum(layer.compressed_bytes for layer in self.layers)

    @property
    def packages_bytes(self) -> int:
        """Unpacked, of the lock's wheels alone."""
        return sum(layer.size_bytes for layer in self.layers if layer.is_package)


class _Built(NamedTuple):
    assembled: Assembled
    manifest: bytes
    blobs: list[Blob]


def check(root: Path, rows: list[ImageRow], progress: Progress, builder: BuilderName | None = None) -> bool:
    """Compare two clean builds of every row, say and record what came out; whether all are identical.

    The outcome goes to ``containers/rebuilds.json``, by image, for the image's page; so do the licences of the wheels,
    which are at hand, to ``containers/licences.json``.
    """
    rebuilds = compare_builds(root, rows, progress, builder)
    for rebuild in rebuilds:
        words = "identical" if rebuild.identical else f"NOT identical: {rebuild.difference}"
        progress(f"{rebuild.name}: {words}")
        progress(f"  config {rebuild.config_digest}  manifest {rebuild.manifest_digest}")
        progress(f"  {rebuild.size_bytes / 1e6:,.0f} MB, {rebuild.compressed_bytes / 1e6:,.0f} MB compressed")
    known = load_rebuilds(root) | {rebuild.name: rebuild for rebuild in rebuilds}
    content = msgspec.json.format(msgspec.json.encode(dict(sorted(known.items()))), indent=1) + b"\n"
    write_whole(_path(root), content)
    note_licences(root, rows)
    same = sum(rebuild.identical for rebuild in rebuilds)
    progress(f"{same} of {len(rebuilds)} images identical")
    return same == len(rebuilds)


def load_rebuilds(root: Path) -> dict[str, Rebuild]:
    """The last comparison of each image by name; ``UserError`` where the file is not one of ours."""
    path = _path(root)
    if not path.exists():
        return {}
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Rebuild])
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise UserError(
            f"{path}: {error}; `framebench build --check` writes it anew once it is deleted."
        ) from None


def known_digests(root: Path) -> set[str]:
    """Config digests of the images that were pushed, or built twice and found equal."""
    rebuilt = {one.config_digest for one in load_rebuilds(root).values() if one.identical}
    return {*load_published(root), *rebuilt}


def compare_builds(
    root: Path, rows: list[ImageRow], progress: Progress, builder: BuilderName | None = None
) -> list[Rebuild]:
    """Build every row twice, each time from nothing but the checked inputs, in another folder under another umask.

    Only what has a hash in a lock is shared: wheels and Debian packages. Layers, compressed layers and manifests
    are made anew; the Docker engine's build cache is not used.
    """
    runner = choose_builder(builder)
    for row in rows:  # before anything is fetched
        runner.refuse_other_processor(row.name, row.arch)
    for row in rows:
        fetch_wheels(root, row, progress)
        for name in base_locks(root, row):
            fetch_debs(root, name, progress)
    built: list[list[_Built]] = []
    with tempfile.TemporaryDirectory(dir=layer_store(root), prefix="building-") as folder:
        for number, umask in enumerate((0o022, 0o002), 1):
            progress(f"clean build {number} of 2, {len(rows)} images, with {runner.name}")
            place = Path(folder, f"build-{'x' * number}")
            old = os.umask(umask)
            try:
                copy_inputs(root, place)
                built.append([_build(root, place, row, progress, runner.name) for row in rows])
            finally:
                os.umask(old)
        return [
            _compared(row, runner.name, one, two)
            for row, one, two in zip(rows, built[0], built[1], strict=True)
        ]


def _path(root: Path) -> Path:
    return root / "containers" / "rebuilds.json"


def copy_inputs(root: Path, place: Path) -> None:
    """The recipe as plain files with new times, and hard links to the wheels and Debian packages."""
    shutil.copytree(root / "containers", place / "containers", copy_function=shutil.copyfile)
    for name, content in harness_files(root).items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content)
    for part in ("wheels", "debs"):
        shutil.copytree(
            root / "build" / "store" / part, place / "build" / "store" / part, copy_function=os.link
        )


def _build(root: Path, place: Path, row: ImageRow, progress: Progress, builder: BuilderName) -> _Built:
    assembled = assemble(place, place, row, progress, builder)
    blobs = compress(place, assembled.layers)
    manifest = published_manifest(assembled.image, blobs, manifest_annotations(root, assembled))
    return _Built(assembled, manifest, blobs)


def _compared(row: ImageRow, builder: str, one: _Built, two: _Built) -> Rebuild:
    difference = None
    if (one.assembled.image, one.manifest) != (two.assembled.image, two.manifest):
        difference = first_difference(one.assembled, two.assembled)
    return Rebuild(
        name=row.name,
        checked_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        builder=builder,
        identical=difference is None,
        config_digest=one.assembled.config_digest,
        manifest_digest=canonical.digest_of(one.manifest),
        layers=[
            RebuiltLayer(
                holds=part.holds,
                digest=part.layer.digest,
                size_bytes=part.layer.size,
                compressed_bytes=blob.size,
            )
            for part, blob in zip(one.assembled.parts, one.blobs, strict=True)
        ],
        difference=difference,
    )


def first_difference(one: Assembled, two: Assembled) -> str:
    """Where two builds part: layer, file and what of it, else the key of the config."""
    for number, (mine, theirs) in enumerate(itertools.zip_longest(one.parts, two.parts), 1):
        if mine is None or theirs is None:
            return f"one build has {len(one.parts)} layers, the other {len(two.parts)}"
        if mine.layer.digest != theirs.layer.digest:
            return f"layer {number} ({mine.holds}): {_file_difference(mine, theirs)}"
    left, right = (config | config.pop("config") for config in map(json.loads, (one.image, two.image)))
    for key in sorted(left | right):
        if left.get(key) != right.get(key):
            return f"the config's {key}: {left.get(key)} in one build, {right.get(key)} in the other"
    return "the compressed layers or the annotations"


def _file_difference(mine: Part, theirs: Part) -> str:
    with tarfile.open(mine.layer.path) as left, tarfile.open(theirs.layer.path) as right:
        for a, b in itertools.zip_longest(left, right):
            if a is None or b is None or a.name != b.name:
                name = min(entry.name for entry in (a, b) if entry is not None)
                return f"{name} is in one build only"
            for what in ("type", "mode", "uid", "gid", "mtime", "size", "linkname"):
                if getattr(a, what) != getattr(b, what):
                    return (
                        f"{a.name}: {what} {getattr(a, what)} in one build, {getattr(b, what)} in the other"
                    )
            if a.isreg():
                place = _first_byte(left, a, right, b)
                if place is not None:
                    return f"{a.name}: contents differ from byte {place} on"
    return "the tars differ, and no file in them does"


def _first_byte(
    left: tarfile.TarFile, a: tarfile.TarInfo, right: tarfile.TarFile, b: tarfile.TarInfo
) -> int | None:
    one, two = left.extractfile(a), right.extractfile(b)
    assert one is not None and two is not None
    place = 0
    while x := one.read(1 << 20):
        y = two.read(1 << 20)
        if x != y:
            return place + next(i for i, (p, q) in enumerate(zip(x, y, strict=True)) if p != q)
        place += len(x)
    return None
