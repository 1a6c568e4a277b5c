"""The terminal: what is said there comes from records and logs of others, and must not steer it."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from framebench.errors import visible


class Terminal(Console):
    """A console that shows such characters and does not obey them."""

    def print(self, *objects: Any, **options: Any) -> None:
        """As ``Console.print``."""
        super().print(*(visible(one) if isinstance(one, str) else one for one in objects), **options)
