"""The matrix of images: ``containers/images.toml``, strictly decoded."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, get_args

import msgspec
from msgspec import Meta

from framebench.errors import UserError
from framebench.strict_toml import read_toml

Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9.-]*$")]
Requirement = Annotated[str, Meta(pattern=r"^[a-z0-9-]+(\[[a-z0-9,-]+\])?==[A-Za-z0-9.+]+$")]
Stack = Literal["torch", "tensorflow", "keras-tensorflow", "keras-torch", "keras-jax"]
STACKS: tuple[str, ...] = get_args(Stack)
Version = Annotated[str, Meta(pattern=r"^\d+(\.\d+)+$")]


class ImageRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One image: what is installed in it, for which stack, Python and accelerator."""

    name: Name
    stack: Stack
    default: bool = False
    accelerator: Annotated[str, Meta(pattern=r"^(cpu|cu\d+)$")]
    python: Annotated[str, Meta(pattern=r"^3\.\d+$")]
    arch: Literal["amd64", "arm64"]
    base: Name
    cuda: Version | None = None
    cudnn: Version | None = None
    nccl: Version | None = None
    packages: Annotated[list[Requirement], Meta(min_length=1)]
    index: Annotated[str, Meta(pattern=r"^https://")] | None = None

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
        """The rows with these names, or every CPU row, or else those that campaigns on the CPU measure in."""
        if names:
            return [self.find(name) for name in names]
        cpu = [row for row in self.rows if row.accelerator == "cpu"]
        return cpu if all_cpu else [row for row in cpu if row.default]

    def for_stacks(self, names: Sequence[str] = ()) -> dict[str, ImageRow]:
        """What campaigns on the CPU measure each stack in: the default rows, or these in their place.

        ``UserError`` when two of the names are of one stack.
        """
        rows = {stack: self.default(stack) for stack in STACKS}
        asked: dict[str, ImageRow] = {}
        for row in map(self.find, names):
            if asked.setdefault(row.stack, row) is not row:
                raise UserError(
                    f"--image {asked[row.stack].name} and {row.name} are both for {row.stack}: a campaign measures a"
                    " stack in one image; run one campaign for each."
                )
        return rows | asked

    def default(self, stack: str) -> ImageRow:
        """The row that campaigns on the CPU measure this stack in."""
        for row in self.select():
            if row.stack == stack:
                return row
        raise UserError(
            f"containers/images.toml has no default image for stack '{stack}' on accelerator 'cpu'; add a row, or set"
            " `default = true` on one."
        )


def load_matrix(root: Path) -> Matrix:
    """Read the matrix of the checkout ``root``; ``UserError`` names file, key and what was expected."""
    path = root / "containers" / "images.toml"
    rows = read_toml(path, _Document).image
    _refuse_ambiguity(path, rows)
    return Matrix(rows)


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
