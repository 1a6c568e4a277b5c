"""The matrix of images: ``containers/images.toml``, strictly decoded."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

from framebench.errors import UserError

Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9.-]*$")]
Requirement = Annotated[str, Meta(pattern=r"^[a-z0-9-]+==[A-Za-z0-9.+]+$")]


class ImageRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One image: what is installed in it, for which stack, Python and accelerator."""

    name: Name
    alias: Name
    stack: Literal["torch", "tensorflow", "keras-tensorflow", "keras-torch", "keras-jax"]
    default: bool
    accelerator: Annotated[str, Meta(pattern=r"^(cpu|cu\d+)$")]
    python: Annotated[str, Meta(pattern=r"^3\.\d+$")]
    arch: Literal["amd64", "arm64"]
    base: Name
    cuda: str | None = None
    cudnn: str | None = None
    nccl: str | None = None
    packages: Annotated[list[Requirement], Meta(min_length=1)]
    index: Annotated[str, Meta(pattern=r"^https://")] | None = None


class _Document(msgspec.Struct, forbid_unknown_fields=True):
    image: Annotated[list[ImageRow], Meta(min_length=1)]


class Matrix(NamedTuple):
    rows: list[ImageRow]

    def find(self, name_or_alias: str) -> ImageRow:
        """The row with this name or alias; ``UserError`` with the nearest names when there is none."""
        for row in self.rows:
            if name_or_alias in (row.name, row.alias):
                return row
        known = [name for row in self.rows for name in (row.alias, row.name)]
        near = difflib.get_close_matches(name_or_alias, known, n=3, cutoff=0.4)
        mend = f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(known)}."
        raise UserError(f"There is no image '{name_or_alias}' in containers/images.toml; {mend}")

    def select(self, names: Sequence[str] = (), all_cpu: bool = False) -> list[ImageRow]:
        """The rows with these names, or every CPU row, or else those that campaigns on the CPU measure in."""
        if names:
            return [self.find(name) for name in names]
        cpu = [row for row in self.rows if row.accelerator == "cpu"]
        return cpu if all_cpu else [row for row in cpu if row.default]

    def default(self, stack: str, accelerator: str = "cpu") -> ImageRow:
        """The row marked default for this stack and accelerator."""
        for row in self.rows:
            if row.default and (row.stack, row.accelerator) == (stack, accelerator):
                return row
        raise UserError(
            f"containers/images.toml has no default image for stack '{stack}' on accelerator '{accelerator}';"
            " add a row, or set `default = true` on one."
        )


def load_matrix(root: Path) -> Matrix:
    """Read the matrix of the checkout ``root``; ``UserError`` names file, key and what was expected."""
    path = root / "containers" / "images.toml"
    try:
        rows = msgspec.toml.decode(path.read_bytes(), type=_Document).image
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; run framebench inside a clone of the repository.") from None
    except msgspec.ValidationError as error:
        what, _, key = str(error).partition(" - at ")
        raise UserError(f"{path}: key {key.strip('`$.') or 'image'}: {what}.") from None
    except msgspec.DecodeError as error:
        raise UserError(f"{path} is not valid TOML: {error}.") from None
    _refuse_ambiguity(path, rows)
    return Matrix(rows)


def _refuse_ambiguity(path: Path, rows: list[ImageRow]) -> None:
    names: set[str] = set()
    defaults: dict[tuple[str, str], str] = {}
    for row in rows:
        for key in ("name", "alias"):
            value = getattr(row, key)
            if value in names:
                raise UserError(f"{path}: image '{row.name}': {key} '{value}' is used twice; make it unique.")
            names.add(value)
        other = defaults.setdefault((row.stack, row.accelerator), row.name) if row.default else row.name
        if other != row.name:
            raise UserError(
                f"{path}: image '{row.name}': default = true, but '{other}' already is the default for"
                f" {row.stack} on {row.accelerator}; keep one."
            )
