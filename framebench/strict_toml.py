"""The project's own TOML files, read strictly: what is wrong in one is a sentence that names file and key."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import TypeVar

import msgspec

from framebench.errors import UserError

Form = TypeVar("Form")

NO_CLONE = "run framebench inside a clone of the repository"


def read_toml(path: Path, form: type[Form], mend: str = NO_CLONE) -> Form:
    """The file's content as ``form``.

    Raises
    ------
    UserError
        when the file is not there (the sentence ends with ``mend``), is no TOML, or has not the form.
    """
    try:
        # editors of Windows begin a file with a mark of its encoding
        return msgspec.toml.decode(path.read_bytes().removeprefix(codecs.BOM_UTF8), type=form)
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: {mend}.") from None
    except msgspec.ValidationError as error:
        what, _, key = str(error).partition(" - at ")
        raise UserError(f"{path}: {f'key {name}: ' if (name := key.strip('`$.')) else ''}{what}.") from None
    except (
        msgspec.DecodeError,
        ValueError,
    ) as error:  # the latter: no UTF-8, or a number of thousands of digits
        raise UserError(f"{path} is not valid TOML: {error}.") from None
    except RecursionError:
        raise UserError(f"{path} is not valid TOML: lists in lists without end.") from None
