"""How a command says a line: as it is, without markup."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console


def sayer(console: Console) -> Callable[[str], None]:
    """A function that prints one line on ``console``."""
    return lambda line: console.print(line, markup=False)
