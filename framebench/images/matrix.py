"""The matrix of images: ``containers/images.toml``, strictly decoded."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

from framebench.errors import UserError
from framebench.strict_toml import read_toml
from harness import frameworks
from harness.record import OwnBuild

Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9.-]*$")]
Requirement = Annotated[str, Meta(pattern=r"^[a-z0-9-]+(\[[a-z0-9,-]+\])?==[A-Za-z0-9.+]+$")]
Device = Literal["cpu", "gpu"]
Version = Annotated[str, Meta(pattern=r"^\d+(\.\d+)+$")]


class Retired(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A row that campaigns measure in no longer; its results stay. ``on``: the first day of that."""

    on: date
    because: Annotated[str, Meta(min_length=1, max_length=500)]


class ImageRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One image: what is installed in it, for which stack, Python and accelerator."""

    name: Name
    stack: Name
    default: bool = False
    accelerator: Annotated[str, Meta(pattern=r"^(cpu|cu\d+)$")]
    python: Annotated[str, Meta(pattern=r"^3\.\d+$")]
    arch: Literal["amd64", "arm64"]
    base: Name
    cuda: Version | None = None
    cudnn: Version | None = None
    nccl: Version | None = None
    packages: Annotated[list[Requirement], Meta(min_length=1)]
    without: list[Name] = []
    index: Annotated[str, Meta(pattern=r"^https://")] | None = None
    retired: Retired | None = None

    def __post_init__(self) -> None:
        """What one key demands of another; msgspec adds the row's number to the sentence."""
        start, end = f"{self.stack}-", f"-{self.accelerator}-py{self.python.replace('.', '')}"
        end += "" if self.arch == "amd64" else f"-{self.arch}"
        if not (self.name.startswith(start) and self.name.endswith(end)):
            raise ValueError(f"name '{self.name}' should be {start}<version>{end}")
        what = f"image '{self.name}' with accelerator '{self.accelerator}'"
        for key in ("cuda", "cudnn", "nccl"):
            if (getattr(self, key) is None) != (self.accelerator == "cpu"):
                raise ValueError(f"{what} {'takes no' if self.accelerator == 'cpu' else 'needs'} {key}")
        if self.cuda and "cu" + "".join(self.cuda.split(".")[:2]) != self.accelerator:
            raise ValueError(f"{what} cannot have cuda = '{self.cuda}'")

    @property
    def device(self) -> Device:
        """What its frameworks compute on."""
        return "cpu" if self.accelerator == "cpu" else "gpu"

    @property
    def cuda_version(self) -> tuple[int, int]:
        """(12, 6) for ``cu126``; (0, 0) for a CPU."""
        digits = self.accelerator.removeprefix("cu")
        return (int(digits[:-1]), int(digits[-1])) if digits.isdigit() else (0, 0)

    @property
    def alias(self) -> str:
        """Short name of the row marked default, e.g. ``torch-cpu``; the others go by their name."""
        return f"{self.stack}-{self.accelerator}" if self.default else self.name

    def pins(self) -> set[str]:
        """What the lock has to hold, each ``name==version``: the packages and, for a GPU, CUDA's libraries."""
        return {re.sub(r"\[.*\]", "", package) for package in self.packages} | self.cuda_pins()

    def cuda_pins(self) -> set[str]:
        """CUDA runtime, cuDNN and NCCL by the names of NVIDIA's packages; none for a CPU."""
        if not self.cuda:
            return set()
        major = self.cuda.partition(".")[0]
        runtime = "nvidia-cuda-runtime-cu12" if major == "12" else "nvidia-cuda-runtime"  # since CUDA 13
        libraries = {
            runtime: self.cuda,
            f"nvidia-cudnn-cu{major}": self.cudnn,
            f"nvidia-nccl-cu{major}": self.nccl,
        }
        return {f"{name}=={version}" for name, version in libraries.items()}


class OwnRow(ImageRow, frozen=True, kw_only=True):
    """A row with somebody's own builds in place of packages of its lock; in no file, see ``fetch.own_wheels``."""

    lock: Path
    own_builds: tuple[OwnBuild, ...]

    def pins(self) -> set[str]:
        """Those of the row that its own builds leave."""
        own = {build.distribution for build in self.own_builds}
        return {pin for pin in super().pins() if pin.partition("==")[0] not in own}


def own_builds(row: ImageRow) -> tuple[OwnBuild, ...]:
    """What of somebody's own is in the row's image; nothing in any of ours."""
    return row.own_builds if isinstance(row, OwnRow) else ()


class _Document(msgspec.Struct, forbid_unknown_fields=True):
    image: Annotated[list[ImageRow], Meta(min_length=1)]


class Matrix(NamedTuple):
    rows: list[ImageRow]

    def find(self, name_or_alias: str) -> ImageRow:
        """The row with this name or alias; ``UserError`` with the nearest names when there is none."""
        for row in self.rows:
            if name_or_alias in (row.name, row.alias):
                return row
        known = list(dict.fromkeys(name for row in self.rows for name in (row.alias, row.name)))
        near = difflib.get_close_matches(name_or_alias, known, n=3, cutoff=0.4)
        short = ", ".join(row.alias for row in self.select())
        mend = f"did you mean {' or '.join(near)}?" if near else f"the default ones are {short}."
        raise UserError(f"There is no image '{name_or_alias}' in containers/images.toml; {mend}")

    def select(self, names: Sequence[str] = (), all_cpu: bool = False) -> list[ImageRow]:
        """The rows with these names, or every CPU row, or else those that campaigns on the CPU measure in; retired ones
        by name only."""
        if names:
            return [self.find(name) for name in names]
        cpu = [row for row in self.rows if row.accelerator == "cpu" and not row.retired]
        return cpu if all_cpu else [row for row in cpu if row.default]

    def retired(self) -> dict[str, Retired]:
        """By the row's name, since when and why nothing is measured in it."""
        return {row.name: row.retired for row in self.rows if row.retired}

    def for_device(
        self,
        device: Device,
        names: Sequence[str] = (),
        fits: Callable[[ImageRow], bool] = lambda row: True,
    ) -> dict[str, ImageRow]:
        """By stack, what campaigns measure it in on this device: a default row, or one of ``names`` in its place.

        Of several default rows of a stack (a GPU has one for each CUDA) it is the newest that ``fits``. A stack
        without a row is not in the answer, and no row that is retired. ``UserError`` when one of the names is of a
        retired row, or two are of one stack and device.
        """
        rows = sorted(
            (
                row
                for row in self.rows
                if row.default and not row.retired and row.device == device and fits(row)
            ),
            key=lambda row: row.cuda_version,
        )
        return {row.stack: row for row in rows} | {
            stack: row for (stack, on), row in self._asked(names).items() if on == device
        }

    def _asked(self, names: Sequence[str]) -> dict[tuple[str, Device], ImageRow]:
        asked: dict[tuple[str, Device], ImageRow] = {}
        for row in map(self.find, names):
            if row.retired:
                raise UserError(
                    f"--image {row.name}: retired since {row.retired.on}: {row.retired.because.rstrip('.')}; its "
                    "results stay, and nothing new is measured in it. Name another image."
                )
            if asked.setdefault((row.stack, row.device), row) is not row:
                raise UserError(
                    f"--image {asked[row.stack, row.device].name} and {row.name} are both for {row.stack} on a "
                    f"{row.device}: a campaign measures a stack in one image; run one campaign for each."
                )
        return asked


def load_matrix(root: Path) -> Matrix:
    """Read the matrix of the checkout ``root``; ``UserError`` names file, key and what was expected."""
    path = root / "containers" / "images.toml"
    rows = _of_known_stacks(path, read_toml(path, _Document).image)
    _refuse_ambiguity(path, rows)
    return Matrix(rows)


def _of_known_stacks(path: Path, rows: list[ImageRow]) -> list[ImageRow]:
    """The rows, an unknown stack refused; where a framework's folder cannot be imported, its rows are left out."""
    known = sorted(frameworks.stacks().keys() - {frameworks.SELF_TEST})
    for number, row in enumerate(rows):
        if row.stack not in known and not frameworks.broken():
            raise UserError(
                f"{path}: key image[{number}].stack: unknown stack '{row.stack}'; known are {', '.join(known)}."
            )
    return [row for row in rows if row.stack in known]


def _refuse_ambiguity(path: Path, rows: list[ImageRow]) -> None:
    names: set[str] = set()
    defaults: dict[tuple[str, str], str] = {}
    for row in rows:
        if row.name in names:
            raise UserError(f"{path}: image '{row.name}': the name is used twice; make it unique.")
        names.add(row.name)
        other = defaults.setdefault((row.stack, row.accelerator), row.name) if row.default else row.name
        if other != row.name:
            raise UserError(
                f"{path}: image '{row.name}': default = true, but '{other}' already is the default for"
                f" {row.stack} on {row.accelerator}; keep one."
            )
