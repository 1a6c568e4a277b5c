"""What runs trials as processes of this machine works on Linux only."""

from __future__ import annotations

import os

from framebench.errors import UserError


def require_linux(wanted: str, why: str = "") -> None:
    """Processes are pinned and ended by means that only Linux has; containers have a Linux of their own."""
    if not hasattr(os, "sched_setaffinity"):
        raise UserError(
            f"{why}Executor {wanted} runs trials as processes of this machine, which works on Linux only; "
            "start a Docker engine (Docker Desktop, Colima) and use `--executor docker`."
        )
