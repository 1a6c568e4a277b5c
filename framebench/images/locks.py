"""One lock per image: every wheel in it by exact version and SHA-256."""

from __future__ import annotations

import hashlib
import re
import tomllib
from pathlib import Path
from typing import NamedTuple

from framebench.errors import UserError
from framebench.images.matrix import ImageRow, OwnRow

_LINE = re.compile(r"(?P<pin>[a-z0-9-]+==\S+) --hash=sha256:(?P<sha256>[0-9a-f]{64})  # (?P<size>\d+) bytes")


class Wheel(NamedTuple):
    """One line of a lock."""

    pin: str  # name==version
    sha256: str
    size: int  # bytes

    def line(self) -> str:
        return f"{self.pin} --hash=sha256:{self.sha256}  # {self.size} bytes\n"


def lock_path(root: Path, row: ImageRow) -> Path:
    if isinstance(row, OwnRow):
        return row.lock
    return root / "containers" / "locks" / f"{row.name}.txt"


def is_locked(root: Path, row: ImageRow) -> bool:
    """Whether the row has a lock; one whose package index could not be reached so far has none."""
    return lock_path(root, row).exists()


def lock_sha256(root: Path, row: ImageRow) -> str:
    """SHA-256 of the lock file's bytes, after checking that it fits the row."""
    check_lock(root, row)
    return hashlib.sha256(lock_path(root, row).read_bytes()).hexdigest()


def base_sha256(root: Path, row: ImageRow) -> str:
    """SHA-256 over the bytes of the locks of Debian packages that the row's base is made of, bottom first."""
    contents: list[bytes] = []
    name: str | None = row.base
    while name is not None:
        path = root / "containers" / "base" / f"{name}.lock"
        try:
            contents.insert(0, path.read_bytes())
            name = tomllib.loads(contents[0].decode()).get("parent")
        except FileNotFoundError:
            raise UserError(f"{path} is missing: image '{row.name}' has no base lock.") from None
        except ValueError as error:  # of which TOML's and UTF-8's errors are kinds
            raise UserError(f"{path} is not valid TOML: {error}.") from None
    return hashlib.sha256(b"".join(contents)).hexdigest()


def check_lock(root: Path, row: ImageRow) -> list[Wheel]:
    """The wheels of the row's lock; ``UserError`` when it is missing, malformed or does not fit the row."""
    path = lock_path(root, row)
    mend = f"run `framebench lock {row.alias}` and commit the result"
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        where = f" (on a machine that reaches {row.index})" if row.index else ""
        raise UserError(f"{path} is missing: image '{row.name}' has no lock yet; {mend}{where}.") from None
    wheels = []
    for number, line in enumerate(lines, 1):
        match = _LINE.fullmatch(line)
        if match is None:
            raise UserError(
                f"{path}, line {number}: expected `name==version --hash=sha256:<64 hex>  # <size> bytes`,"
                f" found '{line}'; {mend}."
            )
        wheels.append(Wheel(match["pin"], match["sha256"], int(match["size"])))
    if unfit := unfitting(row, wheels):
        raise UserError(f"{path} does not fit its row in images.toml: {unfit}; {mend}, or correct the row.")
    return wheels


def unfitting(row: ImageRow, wheels: list[Wheel]) -> str:
    """Where a lock and its row differ, in words; empty if they agree."""
    held = dict(wheel.pin.split("==") for wheel in wheels)
    wanted = dict(pin.split("==") for pin in row.pins())
    said = [
        f"{name} is {held.get(name, 'missing')} in the lock and {version} in the row"
        for name, version in sorted(wanted.items())
        if held.get(name) != version
    ]
    said += [f"{name} is in the lock and the row is without it" for name in row.without if name in held]
    return ", ".join(said)
