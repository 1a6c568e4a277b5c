"""The stored table of an image: what its framework does by default, ``containers/defaults/<image>.json``."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from framebench.errors import UserError

Value = float | int | bool | str


class _Strict(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True, omit_defaults=True):
    """Base: immutable, unknown fields refused."""


class Default(_Strict, frozen=True, kw_only=True):
    """One answer: a value and by what it was ``read``, or null and the ``reason``."""

    value: Value | None
    read: str | None = None
    reason: str | None = None

    def __post_init__(self) -> None:
        if (self.value is None) == (self.reason is None):
            raise ValueError("an answer has either a value or a reason")


class DefaultsTable(_Strict, frozen=True, kw_only=True):
    """What ``python -m harness.defaults`` said in an image: versions by package, answers by question."""

    stack: str
    packages: dict[str, str]
    answers: dict[str, Default]


def decode_defaults(data: bytes | str, where: str, mend: str) -> DefaultsTable:
    """Strict decoding; ``UserError`` with ``where`` it lies, the field and the ``mend``."""
    try:
        return msgspec.json.decode(data, type=DefaultsTable)
    except msgspec.DecodeError as error:  # of which ValidationError is a kind
        what, _, field = str(error).partition(" - at ")
        raise UserError(
            f"{where}: {f'key {name}: ' if (name := field.strip('`$.')) else ''}{what}; {mend}."
        ) from None


def encode_defaults(table: DefaultsTable) -> bytes:
    """A line for each answer, sorted: another version is a diff that can be read."""
    answers = [
        f"    {json.dumps(name)}: {json.dumps(msgspec.to_builtins(answer), ensure_ascii=False)}"
        for name, answer in sorted(table.answers.items())
    ]
    packages = json.dumps(table.packages, sort_keys=True)
    lines = [
        "{",
        f'  "stack": {json.dumps(table.stack)},',
        f'  "packages": {packages},',
        '  "answers": {',
        ",\n".join(answers),
        "  }",
        "}",
    ]
    return ("\n".join(lines) + "\n").encode()


def defaults_path(root: Path, image: str) -> Path:
    return root / "containers" / "defaults" / f"{image}.json"


def read_defaults(root: Path, image: str) -> DefaultsTable | None:
    """The stored table of an image; null where none was made."""
    path = defaults_path(root, image)
    if not path.exists():
        return None
    return decode_defaults(path.read_bytes(), str(path), f"`framebench defaults {image}` writes it anew")
