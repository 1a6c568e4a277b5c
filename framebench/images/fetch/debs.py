"""The base's Debian packages: name, version, size and SHA-256 of each, fetched and checked before a build."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import unquote

import msgspec

from framebench.errors import UserError
from framebench.images import published
from framebench.images.fetch import web
from framebench.images.fetch.wheels import require_space
from framebench.images.folders import Progress
from framebench.strict_toml import read_toml

_DEB = re.compile(r"([a-z0-9.+-]+)=(\S+) (debian|debian-security) (pool/\S+\.deb) (\d+) ([0-9a-f]{64})")

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
DEB_SET = "debs"
"""Name of the packages' repository in a registry, beside the images'."""


class BaseUnavailable(UserError):
    """The base cannot be made on this machine; a campaign can go on with virtual environments."""


class Deb(NamedTuple):
    name: str
    version: str
    archive: str  # debian or debian-security
    path: str  # below the archive's root on any mirror
    size: int  # bytes
    sha256: str


class BaseLock(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``containers/base/<name>.lock``: what Debian packages a base is made of."""

    suite: str
    arch: Literal["amd64", "arm64"] = "amd64"
    epoch: int
    """Every time stamp inside an image made on this base, in seconds since 1970."""
    snapshot: str
    """Date at which Debian's snapshot archive has every one of these files."""
    parent: str | None = None
    """Base on top of which these packages are installed; null = from nothing."""
    asked: list[str]
    """Packages that were asked for; on a base without a parent, Debian's essential ones come too."""
    packages: list[str] = []
    """Everything that these pull in, exactly."""

    def debs(self) -> list[Deb]:
        matches = [_DEB.fullmatch(line) for line in self.packages]
        return [Deb(m[1], m[2], m[3], m[4], int(m[5]), m[6]) for m in matches if m]


def load_base_lock(root: Path, name: str) -> BaseLock:
    path = root / "containers" / "base" / f"{name}.lock"
    lock = read_toml(path, BaseLock, f"there is no base '{name}'; see containers/README.md")
    for line in lock.packages:
        if not _DEB.fullmatch(line):
            raise UserError(
                f"{path}: packages: expected `name=version archive pool/path size sha256`, found '{line}'."
            )
    return lock


def fetch_debs(root: Path, name: str, progress: Progress, source: Path | None = None) -> list[Path]:
    """The .deb files of a base, in ``build/store/debs/<sha256>.deb``, each checked against its hash.

    ``source`` is the checkout that holds the base's lock, where that is not ``root``.
    """
    store = root / "build" / "store" / "debs"
    lock = load_base_lock(source or root, name)
    missing = [deb for deb in lock.debs() if not (store / f"{deb.sha256}.deb").exists()]
    if missing:
        size = sum(deb.size for deb in missing)
        require_space(store, size, f"the Debian packages of base {name}")
        progress(f"base {name}: fetching {len(missing)} Debian packages, {size // 1_000_000} MB")
        mirrors, registries = _mirrors(), published.repositories(root)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda deb: _fetch_deb(deb, store, mirrors, registries, lock.snapshot), missing))
    return [store / f"{deb.sha256}.deb" for deb in lock.debs()]


def _fetch_deb(deb: Deb, store: Path, mirrors: list[str], registries: list[str], snapshot: str) -> None:
    """From this machine's own mirrors, then Debian's; and since old files leave mirrors, from the registries that
    images were pushed to, then the snapshot archive."""
    places = [f"{mirror}/{deb.path}" for mirror in mirrors if mirror.endswith(f"/{deb.archive}")]
    places.append(f"https://deb.debian.org/{deb.archive}/{deb.path}")
    places += [web.blob_url(f"{place}/{DEB_SET}", f"sha256:{deb.sha256}") for place in registries]
    places.append(f"https://snapshot.debian.org/archive/{deb.archive}/{snapshot}/{deb.path}")
    said = ""
    for place in places:
        try:
            data = web.get(place)
        except (OSError, HTTPException, ValueError) as error:
            said += f" {place}: {error};"
            continue
        digest = hashlib.sha256(data).hexdigest()
        if digest == deb.sha256:
            temporary = store / f".{deb.sha256}.{os.getpid()}.tmp"
            temporary.write_bytes(data)
            temporary.rename(store / f"{deb.sha256}.deb")
            return
        said += f" {place}: expected sha256 {deb.sha256}, found {digest};"
    raise BaseUnavailable(
        f"The base image's {deb.name}={deb.version} could not be fetched:{said} check the network, or put the"
        f" file with that sha256 at build/store/debs/{deb.sha256}.deb."
    )


def _mirrors() -> list[str]:
    """Archive roots that this machine's apt is configured with, e.g. ``http://deb.debian.org/debian``."""
    files = [*Path("/etc/apt").glob("sources.list"), *Path("/etc/apt/sources.list.d").glob("*")]
    lines = [line for file in files for line in file.read_text(errors="replace").splitlines()]
    mirrors = [
        uri for line in lines if not line.startswith("#") for uri in re.findall(r"https?://[^\s\]]+", line)
    ]
    return list(dict.fromkeys(uri.rstrip("/") for uri in mirrors))


def base_names(root: Path) -> list[str]:
    """The bases that have a lock, each after its parent."""
    names = sorted(path.stem for path in (root / "containers" / "base").glob("*.lock"))
    return sorted(names, key=lambda name: load_base_lock(root, name).parent is not None)


def remake_base_lock(root: Path, name: str) -> Path:
    """Resolve a base's packages with apt, from its own Debian's lists, which apt fetches and checks by signature.

    What this machine has installed or is configured with plays no part, but for the mirrors and Debian's keyring.
    """
    lock = load_base_lock(root, name)
    below = {deb.name for deb in load_base_lock(root, lock.parent).debs()} if lock.parent else set()
    with tempfile.TemporaryDirectory() as folder:
        apt = _apt_of(Path(folder), lock.suite, lock.arch)
        _run("apt-get", *apt, "update")
        every = _run("apt-cache", *apt, "dumpavail").split("\n\n")
        essential = {p.split("\n")[0].removeprefix("Package: ") for p in every if "\nEssential: yes" in p}
        wanted = [*lock.asked, *sorted(essential | below)]
        uris = _run("apt-get", *apt, "--print-uris", "--yes", "--no-install-recommends", "install", *wanted)
        found = []
        for url, file, size in re.findall(r"^'(\S+)' (\S+) (\d+) ", uris, re.MULTILINE):
            _, archive, pool = re.split(r"/(debian(?:-security)?)/(?=pool/)", unquote(url))
            package, version, _ = unquote(file).split("_")
            if package not in below:
                found.append((f"{package}={version}", archive, pool, size))
        digests = _digests(_run("apt-cache", *apt, "show", *[package for package, *_ in found]))
        lines = [f'  "{" ".join((*one, digests[one[0]]))}",\n' for one in found]
    path = root / "containers" / "base" / f"{name}.lock"
    today = time.strftime("%Y%m%dT000000Z", time.gmtime())
    head = f'suite = "{lock.suite}"\n' + (f'arch = "{lock.arch}"\n' if lock.arch != "amd64" else "")
    head += f'epoch = {lock.epoch}\nsnapshot = "{today}"\n'
    head += f'parent = "{lock.parent}"\n' if lock.parent else ""
    head += f"asked = [{', '.join(msgspec.json.encode(package).decode() for package in lock.asked)}]\n"
    path.write_text(f"{head}packages = [\n{''.join(sorted(lines))}]\n")
    return path


def _digests(shown: str) -> dict[str, str]:
    """``{"name=version": sha256}`` of what ``apt-cache show`` says."""
    digests = {}
    for stanza in shown.split("\n\n"):
        fields = dict(re.findall(r"^(Package|Version|SHA256): (\S+)", stanza, re.MULTILINE))
        if len(fields) == 3:
            digests[f"{fields['Package']}={fields['Version']}"] = fields["SHA256"]
    return digests


def _apt_of(folder: Path, suite: str, arch: str) -> list[str]:
    """Options under which apt knows this suite of Debian and nothing else, and has nothing installed or downloaded."""
    mirrors = _mirrors()
    lines = []
    for archive, pockets in (
        ("debian", [suite, f"{suite}-updates"]),
        ("debian-security", [f"{suite}-security"]),
    ):
        own = [mirror for mirror in mirrors if mirror.endswith(f"/{archive}")]
        mirror = own[0] if own else f"https://deb.debian.org/{archive}"
        lines += [f"deb [signed-by={KEYRING}] {mirror} {pocket} main\n" for pocket in pockets]
    (folder / "sources.list").write_text("".join(lines))
    for name in ("lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True)
    (folder / "status").touch()
    places = {
        "Dir::Etc::sourcelist": "sources.list",
        "Dir::Etc::sourceparts": "none",
        "Dir::Etc::preferencesparts": "none",
        "Dir::State::lists": "lists",
        "Dir::State::status": "status",
        "Dir::Cache": "cache",
    }
    options = {key: str(folder / name) for key, name in places.items()}
    options |= {"APT::Architecture": arch, "APT::Architectures::": arch}
    options["APT::Update::Error-Mode"] = "any"  # else a list that could not be fetched is a warning
    return [word for key, value in options.items() for word in ("-o", f"{key}={value}")]


def _run(*command: str) -> str:
    try:
        done = subprocess.run(command, text=True, capture_output=True)
    except FileNotFoundError:
        raise UserError(
            f"{command[0]} is not here, and a base's lock needs it; lock it where apt is."
        ) from None
    if done.returncode:
        raise UserError(f"`{command[0]} … {command[-1]}` failed: {' '.join(done.stderr.split())[-600:]}")
    return done.stdout
