"""What follows from newer releases of the frameworks: rows of the matrix with their locks, and what is said of them.

A row follows the package that it is named for, the first of its ``packages``; the others stay as they are pinned, so
that two neighbours in the history differ in one thing. Rows for a GPU are for a person, who chooses CUDA with them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec
from packaging.version import Version

from framebench.errors import UserError
from framebench.images.fetch.indexes import Indexes
from framebench.images.fetch.resolve import compile_lock
from framebench.images.folders import write_whole
from framebench.images.matrix import ImageRow, load_matrix
from framebench.images.releases import Release, load_releases


class Follower(NamedTuple):
    """A row whose package has a newer release, and the row that follows it; or ``why_not``."""

    release: Release
    row: ImageRow
    follower: ImageRow | None
    why_not: str = ""


def look(root: Path) -> list[Release]:
    """Look up every release of ``containers/releases.toml``; those that are newer, written there with today's date."""
    path, indexes, today = root / "containers" / "releases.toml", Indexes(None), datetime.now(UTC).date()
    newer = []
    for known in load_releases(root):
        newest = indexes.newest(known.packages[0])
        if Version(newest.version) <= Version(known.version):
            continue
        if newest.released is None:
            raise UserError(
                f"{newest.source} does not say when {known.packages[0]} {newest.version} came out; write its "
                f"version and day into {path} by hand."
            )
        changed = {
            "version": newest.version,
            "released": newest.released,
            "looked_up": today,
            "source": newest.source,
        }
        newer.append(msgspec.structs.replace(known, **changed))
        write_whole(path, _release_changed(path.read_text(), newer[-1]).encode())
    return newer


def follow(root: Path) -> Iterator[Follower]:
    """For each default row that is older than its package's newest known release: lock and add the row that follows.

    What cannot be resolved is no row, and says why. ``containers/perf-changelog.toml`` gets an entry for each package.
    """
    releases, matrix, indexes = load_releases(root), load_matrix(root), Indexes(None)
    followed: dict[tuple[str, str, str], list[str]] = {}
    for row in matrix.rows:
        lead, held = _lead(row)
        release = next((one for one in releases if lead in one.packages), None)
        if not row.default or row.retired or release is None or Version(held) >= Version(release.version):
            continue
        if row.device != "cpu":
            if any(
                (one.stack, one.device, _lead(one)[1]) == (row.stack, row.device, release.version)
                for one in matrix.rows
            ):  # with another CUDA
                continue
            yield Follower(release, row, None, "CUDA, cuDNN and NCCL of a row for a GPU are chosen by hand")
            continue
        follower = _follower(row, release.version, indexes)
        if any(one.name == follower.name for one in matrix.rows):
            yield Follower(release, row, None, f"{follower.name} is there and not the default")
            continue
        try:
            compile_lock(root, follower)
        except UserError as error:
            yield Follower(release, row, None, str(error))
            continue
        path = root / "containers" / "images.toml"
        write_whole(path, _row_added(path.read_text(), row, follower).encode())
        followed.setdefault((release.title, lead, held), []).append(row.stack)
        yield Follower(release, row, follower)
    for (title, package, held), stacks in followed.items():
        release = next(one for one in releases if one.title == title)
        path = root / "containers" / "perf-changelog.toml"
        write_whole(path, (path.read_text() + _entry(release, package, held, sorted(set(stacks)))).encode())


def _lead(row: ImageRow) -> tuple[str, str]:
    """The package that the row is named for, and its version without the build: ``torch``, ``2.13.0``."""
    name, _, version = row.packages[0].partition("==")
    return name.partition("[")[0], version.partition("+")[0]


def _follower(row: ImageRow, version: str, indexes: Indexes) -> ImageRow:
    """The same row with another version of its package; what is pinned to the very version of the old one (jaxlib, with
    jax) is released together with it, and gets its own newest."""
    _, held = _lead(row)
    packages: list[str] = []
    for pin in row.packages:
        name, _, pinned = pin.partition("==")
        if pinned.partition("+")[0] == held:
            plain = name.partition("[")[0]
            own = indexes.newest(plain).version if packages else version
            pin = f"{name}=={own}{pinned.removeprefix(held)}"
        packages.append(pin)
    name = row.name.replace(f"-{held}-", f"-{version}-", 1)
    return msgspec.structs.replace(row, name=name, packages=packages)


def _row_added(text: str, row: ImageRow, follower: ImageRow) -> str:
    """The matrix with the follower's table before the row's, which is the default no more. Comments stay."""
    found = re.search(rf'^\[\[image\]\]\nname = "{re.escape(row.name)}"\n(?:.+\n)*', text, re.M)
    default = "default = true\n"
    if found is None or default not in found[0]:
        raise UserError(
            f"containers/images.toml: the table of {row.name} does not begin with its name, or its default = true "
            "has no line of its own: write it as the others are."
        )
    added = found[0].replace(f'"{row.name}"', f'"{follower.name}"')
    for before, after in zip(row.packages, follower.packages, strict=True):
        added = added.replace(f'"{before}"', f'"{after}"')
    return text.replace(found[0], added + "\n" + found[0].replace(default, ""))


def _release_changed(text: str, release: Release) -> str:
    """``releases.toml`` with the values of one release."""
    found = re.search(rf'^\[\[release\]\]\ntitle = "{re.escape(release.title)}"\n(?:.+\n)*', text, re.M)
    if found is None:
        raise UserError(
            f"containers/releases.toml: the table of {release.title} does not begin with its title: write it as the "
            "others are."
        )
    changed = found[0]
    for key, value in (
        ("version", f'"{release.version}"'),
        ("released", str(release.released)),
        ("looked_up", str(release.looked_up)),
        ("source", f'"{release.source}"'),
    ):
        changed = re.sub(rf"^{key} = .*$", f"{key} = {value}", changed, flags=re.M)
    return text.replace(found[0], changed)


def _entry(release: Release, package: str, held: str, stacks: list[str]) -> str:
    """A table of ``perf-changelog.toml``: every case is to be measured again."""
    names = ", ".join(f'"{stack}"' for stack in stacks)
    return (
        f"\n[[change]]\ndate = {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}\nstacks = [{names}]\n"
        f'version = {{ package = "{package}", from = "{held}", to = "{release.version}" }}\n'
        f'what = "{release.title} {release.version} has images of its own."\ncases = ["*"]\n'
    )
