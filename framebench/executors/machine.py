"""The machine that measures: a deterministic id from its hardware, and the cores a trial may use."""

from __future__ import annotations

import hashlib
import os
import platform
import re
from pathlib import Path

import psutil


def cpu_model() -> str:
    """Name of the processor as the kernel gives it, or its architecture."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine()
    name = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return name.group(1).strip() if name else platform.machine()


def cores_allowed() -> int:
    """Cores this process may run on."""
    return len(os.sched_getaffinity(0))


def host_id() -> str:
    """E.g. ``amd-epyc-2c-24g-x86-64-3f2a91``: equal for equal hardware, no name or serial number in it.

    Two machines of one type share an id on purpose: their trials are replications on the same hardware.
    """
    cores = psutil.cpu_count() or 1
    gibibytes = round(psutil.virtual_memory().total / 2**30)
    facts = "\n".join([cpu_model(), str(cores), str(gibibytes), platform.machine()])
    words = re.sub(r"\(r\)|\(tm\)|processor|cpu|core|@.*", "", cpu_model().lower())
    slug = "-".join(re.findall(r"[a-z0-9]+", words)[:3]) or platform.machine()
    return f"{slug}-{cores}c-{gibibytes}g-{hashlib.sha256(facts.encode()).hexdigest()[:6]}"
