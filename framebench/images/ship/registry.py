"""Push images, and the Debian packages of their bases, to a registry as they are: their digests stay.

``docker push`` compresses layers anew, which gives an image another address each time; skopeo does not.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from framebench.errors import UserError
from framebench.images.fetch import web
from framebench.images.fetch.debs import DEB_SET, BaseLock, fetch_debs
from framebench.images.folders import Progress, layer_store, one_at_a_time
from framebench.images.make import archive
from framebench.images.make.assembly import assemble, base_locks, inputs_sha256
from framebench.images.make.canonical import digest_of
from framebench.images.matrix import ImageRow
from framebench.images.published import Published, note_published
from framebench.images.ship.annotations import manifest_annotations
from framebench.images.ship.deb_set import EMPTY, deb_manifest
from framebench.images.ship.redistribution import refuse_unchecked

_HOST = r"(localhost|[a-z0-9-]+(\.[a-z0-9-]+)+|\[[0-9a-f:]+\]|[a-z0-9-]+(?=:))(:\d+)?"
_PLACE = re.compile(_HOST + r"(/[a-z0-9]+([._-]+[a-z0-9]+)*)*")


def push(root: Path, rows: list[ImageRow], registry: str, progress: Progress) -> None:
    """Push the images of ``rows`` to ``registry`` (``HOST[:PORT][/PREFIX]``) and note their addresses.

    What is not in the store is built. Each image gets the tags ``<first 12 of its config digest>`` and ``latest``;
    its address, by digest, goes into ``containers/published.json``.

    Raises
    ------
    UserError
        when the registry, the user's rights there or skopeo is not in order, or when nobody has read the terms on
        which an image may be given on; what was pushed before is noted.
    """
    if not _PLACE.fullmatch(registry):
        raise UserError(
            f"--registry {registry}: expected HOST/PREFIX in small letters and without https://,"
            " e.g. ghcr.io/me/framebench or 127.0.0.1:5000/framebench."
        )
    _require_skopeo()
    for row in rows:
        refuse_unchecked(root, row)
    bases: dict[str, BaseLock] = {}
    for row in rows:
        with one_at_a_time(root, progress):
            _push_image(root, row, registry, progress)
        bases |= base_locks(root, row)
    for name, lock in bases.items():
        with one_at_a_time(root, progress):
            push_debs(root, name, lock, registry, progress)


def push_debs(root: Path, name: str, lock: BaseLock, registry: str, progress: Progress) -> None:
    """Push the Debian packages of base ``name`` to ``<registry>/debs:<name>``, each as a blob of its own.

    The set has a second tag, by its digest: registries clear away what no tag holds, and older sets have to stay.
    """
    debs = fetch_debs(root, name, progress)
    blobs = {f"sha256:{deb.sha256}": path for deb, path in zip(lock.debs(), debs, strict=True)}
    manifest = deb_manifest(name, lock)
    digest = digest_of(manifest)
    files = archive.layout_files(EMPTY, manifest, blobs, {archive.REFERENCE: name})
    _copy(root, files, digest, f"{registry}/{DEB_SET}", [f"{name}-{_short(digest)}", name])
    progress(f"base {name}: its {len(debs)} Debian packages are at {registry}/{DEB_SET}:{name}")


def _push_image(root: Path, row: ImageRow, registry: str, progress: Progress) -> None:
    assembled = assemble(root, root, row, progress)
    progress(f"{row.alias}: compressing what is not compressed yet")
    blobs = archive.compress(root, assembled.layers)
    manifest = archive.published_manifest(assembled.image, blobs, manifest_annotations(root, assembled))
    short = _short(assembled.config_digest)
    files = archive.image_files(assembled.image, manifest, blobs, f"framebench/{row.name}:{short}")
    progress(
        f"{row.alias}: pushing {sum(blob.size for blob in blobs) / 1e6:,.0f} MB to {registry}/{row.name}"
    )
    _copy(root, files, digest_of(manifest), f"{registry}/{row.name}", [short, "latest"])
    address = f"{registry}/{row.name}@{digest_of(manifest)}"
    note_published(
        root,
        assembled.config_digest,
        Published(
            name=row.name,
            repo_digest=address,
            pushed_utc=datetime.now(UTC).isoformat(timespec="seconds"),
            inputs_sha256=inputs_sha256(root, row, assembled.harness_tree_sha256),
        ),
    )
    progress(f"{row.alias}: {address}")


def _copy(
    root: Path, files: Mapping[str, bytes | Path], digest: str, repository: str, tags: list[str]
) -> None:
    """Copy an OCI layout into ``repository`` under every tag, and see that the registry offers ``digest`` there."""
    host = repository.partition("/")[0]
    verify = f"tls-verify={str(not web.is_loopback(host)).lower()}"
    with tempfile.TemporaryDirectory(dir=layer_store(root), prefix="building-") as folder:
        archive.write_folder(Path(folder), files)
        for tag in tags:
            target = f"docker://{repository}:{tag}"
            # the policy is about signatures of images from elsewhere; this one was made here
            command = ["--insecure-policy", "copy", "--quiet", "--preserve-digests", f"--dest-{verify}"]
            _skopeo(host, *command, f"oci:{folder}", target)
            offered = digest_of(_skopeo(host, "inspect", "--raw", f"--{verify}", target))
            if offered != digest:
                raise UserError(
                    f"{repository}:{tag} was pushed as {digest}, but the registry offers {offered}: it changes what"
                    " it is given or somebody pushed at the same time; nothing was noted as published."
                )


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:12]


def _require_skopeo() -> None:
    if shutil.which("skopeo") is None:
        raise UserError("skopeo is not installed, and pushing needs it, e.g. `apt-get install skopeo`.")


def _skopeo(host: str, *arguments: str) -> bytes:
    done = subprocess.run(["skopeo", *arguments], capture_output=True)
    if done.returncode:
        raise UserError(_explain(host, done.stderr.decode(errors="replace")))
    return done.stdout


def _explain(host: str, said: str) -> str:
    """What went wrong between skopeo and a registry, in one sentence with the mend."""
    lines = said.strip().splitlines() or ["skopeo said nothing"]
    cause = re.sub(r'^.*msg="(.*)"$', r"\1", lines[-1]).replace('\\"', '"')
    if re.search(r"unauthorized|authentication required|denied|status: 40[13]|40[13] ", cause):
        return f"The registry {host} refuses this user: `skopeo login {host}` and run again ({cause})."
    if "HTTP response to HTTPS client" in cause:
        return f"The registry {host} has no TLS, which only one on this machine may do without; give it a certificate."
    if re.search(r"connection refused|no such host|no route|i/o timeout|deadline exceeded", cause):
        return f"No registry answers at {host}: start it, or mend --registry ({cause})."
    return f"skopeo and the registry {host}: {cause}."
