"""The one exception that the command line turns into a sentence and exit code 2, and how others' words are quoted."""

import re


class UserError(Exception):
    """Bad input or a missing part of the machine: one sentence with file, field and mend."""


def one_line(words: str) -> str:
    """Words that may quote a stranger's file: on one line, and both ends of them where they are long."""
    words = " ".join(words.split())
    return words if len(words) <= 400 else f"{words[:200]} … {words[-199:]}"


def quoted(value: str) -> str:
    """A value of a stranger's file in quotes: its beginning where it is long."""
    return repr(value if len(value) <= 120 else f"{value[:100]} …")


_STEERING = [
    *(code for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"),
    *(0x061C, 0x200E, 0x200F, 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFFFE, 0xFFFF),
]
"""Control characters of both sets, what turns the direction of a line, and what XML has no place for."""
_ANY_STEERING = re.compile(f"[{re.escape(''.join(map(chr, _STEERING)))}]")
_VISIBLE = {code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" for code in _STEERING}


def visible(text: str) -> str:
    """The text with every character that would steer a terminal or turn a line written out, as in ``\\\\x1b[2J``."""
    return text.translate(_VISIBLE) if _ANY_STEERING.search(text) else text
