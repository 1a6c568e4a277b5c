"""The terminal: what is said there comes from records and logs of others, and must not steer it."""

from __future__ import annotations

from typing import Any

from rich.console import Console

_STEERING = [
    *(code for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"),
    *(0x061C, 0x200E, 0x200F, 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A)),
]
"""Control characters of both sets, and what turns the direction of a line."""
_VISIBLE = {code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" for code in _STEERING}


def visible(text: str) -> str:
    """The text with every character that would steer a terminal written out, as in ``\\\\x1b[2J``."""
    return text.translate(_VISIBLE)


class Terminal(Console):
    """A console that shows such characters and does not obey them."""

    def print(self, *objects: Any, **options: Any) -> None:
        """As ``Console.print``."""
        super().print(*(visible(one) if isinstance(one, str) else one for one in objects), **options)
