"""What of the user's surroundings a command does not take over: the locale's encoding, other programs' choices."""

from __future__ import annotations

import io
import locale
import os
import sys

FOREIGN = (
    # a git hook's: they lead git to another checkout than the one that framebench lies in
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
    # an image says itself for which processor it is
    "DOCKER_DEFAULT_PLATFORM",
)


def leave_outside() -> None:
    """Forget the variables that would lead git and docker elsewhere, and read and write UTF-8.

    Where the locale has another encoding, Python starts again in its UTF-8 mode, as the same process. A terminal that
    lacks a character shows another.
    """
    for name in FOREIGN:
        os.environ.pop(name, None)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    if locale.getpreferredencoding(False).lower() != "utf-8":
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])
