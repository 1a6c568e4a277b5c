"""The fake NVIDIA driver (``fake_nvml.c``): compiled, put in a process's way, and loaded with known work."""

from __future__ import annotations

import shutil
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.requirement import require

SOURCE = Path(__file__).with_name("fake_nvml.c")
REST_W, BUSY_W = 100.0, 600.0  # of device 0; device i has i + 1 times that
GPU = "GPU-a0010203-0405-0607-0809-0a0b0c0d0e0f"
SECOND_GPU = "GPU-a1010203-0405-0607-0809-0a0b0c0d0e0f"
MIG = "MIG-b0010203-0405-0607-0809-0a0b0c0d0e0f"
MAX_SWITCHES = 8000


def build(folder: Path, *options: str, follows: str | None = None) -> Path:
    """Compile into ``folder``; the folder is what ``LD_LIBRARY_PATH`` must name when a process starts.

    ``follows``: the path of a ``Load``, as a process with the driver sees it, in which each process that starts CUDA
    writes when it computes: no variable has to reach that process.
    """
    compiler = shutil.which("gcc")
    require("gcc", compiler is not None, "there is no gcc on the PATH")
    assert compiler is not None
    folder.mkdir(parents=True, exist_ok=True)
    library = folder / "libnvidia-ml.so.1"
    flags = ["-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-Wl,-soname,libnvidia-ml.so.1"]
    flags += [f'-DLOAD="{follows}"'] if follows else []
    subprocess.run([compiler, *flags, *options, "-o", str(library), str(SOURCE), "-lm"], check=True)
    (folder / "libcuda.so.1").symlink_to(library)
    return folder


class Load:
    """When the fake GPUs work; every process with ``FAKE_LOAD`` set to ``path`` sees it at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.switches: list[int] = []
        path.write_bytes(bytes(1 << 16))
        path.chmod(0o666)  # a container's user writes it, too

    def _switch(self) -> int:
        now = time.monotonic_ns()
        self.switches.append(now)
        assert len(self.switches) < MAX_SWITCHES
        with self.path.open("r+b") as file:
            file.seek(8 * len(self.switches))
            file.write(struct.pack("q", now))
            file.flush()
            file.seek(0)
            file.write(struct.pack("q", len(self.switches)))
        return now

    @contextmanager
    def working(self) -> Iterator[None]:
        """Busy for so long."""
        assert len(self.switches) % 2 == 0
        self._switch()
        try:
            yield
        finally:
            self._switch()

    def work(self, seconds: float) -> None:
        with self.working():
            time.sleep(seconds)

    def busy_s(self, start_ns: int, end_ns: int) -> float:
        """The true busy time between two moments."""
        pairs = zip(self.switches[::2], self.switches[1::2], strict=True)
        return sum(max(0, min(off, end_ns) - max(on, start_ns)) for on, off in pairs) / 1e9

    def joules(self, start_ns: int, end_ns: int, device: int = 0) -> float:
        """The true energy between two moments."""
        seconds = (end_ns - start_ns) / 1e9
        return (device + 1) * (REST_W * seconds + (BUSY_W - REST_W) * self.busy_s(start_ns, end_ns))
