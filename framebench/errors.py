"""The one exception that the command line turns into a sentence and exit code 2, and how others' words are quoted."""

import errno
import re
from pathlib import Path


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
    *range(0xD800, 0xE000),  # halves of characters, which no file takes: the bytes of names that are no UTF-8
    *(0x061C, 0x200E, 0x200F, 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFFFE, 0xFFFF),
]
"""Control characters of both sets, what turns the direction of a line, and what XML and UTF-8 have no place for."""
_ANY_STEERING = re.compile(f"[{re.escape(''.join(map(chr, _STEERING)))}]")
_BYTE = 0xDC00
"""Where Python puts the bytes of a name that are no UTF-8."""
_VISIBLE = {code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" for code in _STEERING}
_VISIBLE |= {_BYTE + byte: f"\\x{byte:02x}" for byte in range(0x80, 0x100)}


def visible(text: str) -> str:
    """The text with every character that would steer a terminal or turn a line written out, as in ``\\\\x1b[2J``."""
    return text.translate(_VISIBLE) if _ANY_STEERING.search(text) else text


def named(path: Path | str) -> str:
    """A path as one line, whatever is in it: a name may hold a line end, and would write lines of its own."""
    return visible(str(path)).replace("\n", "\\n").replace("\t", "\\t")


def unreadable(error: OSError) -> str:
    """Why a file or a folder cannot be read, and the mend."""
    loop = error.errno == errno.ELOOP
    return f"cannot be read ({error.strerror}); {'it leads to itself: delete it' if loop else 'check its permissions'}"
