"""Files and other programs' output are UTF-8 whatever the user's locale says; a terminal that cannot show a character
shows another."""

from __future__ import annotations

import io
import locale
import os
import sys


def read_and_write_utf8() -> None:
    """Start again in Python's UTF-8 mode where the locale has another encoding; the process stays the same one."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    if locale.getpreferredencoding(False).lower() != "utf-8":
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])
