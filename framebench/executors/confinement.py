"""What a trial's container may do, the same for all: no network, read-only root, no capabilities, not root, limits.

What a trial may write:

``/tmp``    a fresh tmpfs, executable (TorchInductor loads the shared objects that it compiles there)
``/cache``  a named volume per image, ``framebench-cache-<first 12 of its config digest>``:
            ``/cache/compile`` is a warm trial's ``cache_dir``, ``/cache/pyc`` holds Python's byte code
``/cold``   the ``cache_dir`` of a cold start instead: a fresh tmpfs like ``/tmp``

A cold start is cold for the framework's compiler. Byte code stays warm, because whoever installs a framework
compiles it once, and not before each start.
"""

from __future__ import annotations

import io
import tarfile
from typing import Any

GIBIBYTE = 1 << 30
USER = 1000
PROCESSES = 512
"""TensorFlow starts a few threads per core for each of its pools; a runaway trial stops here."""
CACHE_FOLDERS = ("compile", "pyc")


def closed_in(memory_bytes: int) -> dict[str, Any]:
    """Arguments of docker-py's ``containers.create`` and ``run`` for whatever runs in an image; swap is off."""
    return {
        "init": True,  # process 1 itself would not die of SIGABRT
        "network_mode": "none",
        "read_only": True,
        "tmpfs": {"/tmp": _in_memory(memory_bytes)},
        "environment": {
            "HOME": "/tmp",
            "TMPDIR": "/tmp",
            "LOGNAME": "framebench",  # the user has no name in the image's password file
        },
        "user": f"{USER}:{USER}",
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "pids_limit": PROCESSES,
        "mem_limit": memory_bytes,
        "memswap_limit": memory_bytes,
    }


def confined(volume: str, memory_bytes: int, cores: list[int], cold: bool) -> dict[str, Any]:
    """The same for a trial; ``volume`` is the image's cache."""
    closed = closed_in(memory_bytes)
    return closed | {
        "tmpfs": closed["tmpfs"] | ({"/cold": _in_memory(memory_bytes)} if cold else {}),
        "volumes": {volume: {"bind": "/cache", "mode": "rw"}},
        "environment": closed["environment"] | {"PYTHONPYCACHEPREFIX": "/cache/pyc"},
        "shm_size": GIBIBYTE,
        "cpuset_cpus": ",".join(map(str, cores)),
    }


def _in_memory(memory_bytes: int) -> str:
    return f"rw,exec,nosuid,nodev,mode=1777,size={memory_bytes // 2}"


def memory_limit(total: int) -> int:
    """Bytes for a container on a machine of ``total`` bytes: all but 1 GiB, and never less than half."""
    return max(total - GIBIBYTE, total // 2)


def cache_folders() -> bytes:
    """A tar of the empty folders of the cache, owned by the container's user."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name in CACHE_FOLDERS:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            entry.uid = entry.gid = USER
            tar.addfile(entry)
    return archive.getvalue()
