"""Whether this machine's NVIDIA driver is new enough for an image's CUDA; the table is ``containers/drivers.toml``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from framebench import images
from framebench.errors import UserError
from framebench.strict_toml import read_toml

Version = Annotated[str, Meta(pattern=r"^\d+(\.\d+)+$")]


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The oldest driver for one major version of CUDA, and where that is written."""

    major: int
    driver: Version
    source: str


class _Document(msgspec.Struct, forbid_unknown_fields=True):
    cuda: list[Row]


def minimum_drivers(root: Path) -> dict[int, str]:
    """``{major version of CUDA: oldest driver}``; ``UserError`` names the file and the key."""
    rows = read_toml(root / "containers" / "drivers.toml", _Document).cuda
    return {row.major: row.driver for row in rows}


def runs(root: Path, driver: str | None, row: images.ImageRow) -> bool:
    """Whether this driver runs the row's image; without a driver, or for a CPU, nothing speaks against it."""
    if driver is None or row.cuda is None:
        return True
    needed = minimum_drivers(root).get(row.cuda_version[0])
    return needed is not None and _numbers(driver) >= _numbers(needed)


def too_old(root: Path, driver: str, image: str, stack: str, cuda: str) -> str | None:
    """Null if ``driver`` runs CUDA ``cuda``; else a sentence that names the image of ``stack`` that would fit.

    ``image`` is its name in the matrix, ``cuda`` and ``driver`` are version numbers such as 13.0.96 and 550.54.14.
    """
    oldest = minimum_drivers(root)
    needed = oldest.get(_numbers(cuda)[0])
    if needed is None:
        raise UserError(
            f"{root / 'containers' / 'drivers.toml'} has no row for CUDA {cuda} of image {image}; add one, with the"
            " oldest driver that NVIDIA's compatibility guide names."
        )
    if _numbers(driver) >= _numbers(needed):
        return None
    rows = images.load_matrix(root).rows
    alias = next((row.alias for row in rows if row.name == image), image)
    fitting = [
        (row.cuda_version, row.alias)
        for row in rows
        if row.stack == stack and row.device == "gpu" and not row.retired
        if (lowest := oldest.get(row.cuda_version[0])) and _numbers(driver) >= _numbers(lowest)
    ]
    way_out = f"{max(fitting)[1]} fits" if fitting else f"no image of {stack} is for it, so update the driver"
    version = ".".join(cuda.split(".")[:2])
    return f"driver {driver} is too old for CUDA {version} in {alias}, which needs {needed}; {way_out}"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
