"""Which of a release's wheels pip would install in an image: tags in pip's order of preference."""

from __future__ import annotations

import platform
from collections.abc import Iterable

from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from framebench.images.matrix import ImageRow

MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
"""As engines and rows call processors, and as kernels and wheels do."""
_GLIBC = 34
"""Newest minor version of glibc 2 that a wheel may ask for; Debian 12, the oldest base, has 2.36."""


def machine(row: ImageRow) -> str:
    """The row's architecture as wheels call it."""
    return MACHINES[row.arch]


def is_for_here(row: ImageRow) -> bool:
    """Whether the row's programs are this machine's."""
    return machine(row) == platform.machine()


def supported_tags(row: ImageRow) -> list[Tag]:
    """Every tag that the row's Python takes on Linux with glibc, best first (PyPA's platform tags)."""
    major, minor = (int(part) for part in row.python.split("."))
    interpreter = f"cp{major}{minor}"
    taken = platforms(machine(row))
    own = cpython_tags((major, minor), abis=[interpreter], platforms=taken)
    return [*own, *compatible_tags((major, minor), interpreter=interpreter, platforms=taken)]


def platforms(architecture: str) -> list[str]:
    """What a wheel may be built for that runs on Linux with glibc on ``x86_64`` or ``aarch64``, newest first."""
    levels = [f"manylinux_2_{level}_{architecture}" for level in range(_GLIBC, 4, -1)]
    return levels + [f"manylinux{year}_{architecture}" for year in ("2014", "2010", "1")]


def best_wheel(row: ImageRow, names: Iterable[str]) -> str | None:
    """The file name among ``names`` that pip would install in the row's image; null if none fits."""
    rank = {tag: place for place, tag in enumerate(supported_tags(row))}
    fitting = []
    for name in names:
        try:
            *_, build, tags = parse_wheel_filename(name)
        except InvalidWheelFilename:  # not a wheel
            continue
        places = [rank[tag] for tag in tags if tag in rank]
        if places:
            fitting.append((-min(places), build, name))
    return max(fitting)[-1] if fitting else None
