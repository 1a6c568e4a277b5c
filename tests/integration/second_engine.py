"""A Docker engine beside the machine's own, which may be stopped, killed and started again at will."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import docker
import requests

PARTS = ("dockerd", "unshare")
START_S = 60.0
STOP_S = 60.0


class SecondEngine:
    """Everything of it lies in ``folder``, whose path has to be short: sockets lie in it."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._name = folder, f"framebench-{secrets.token_hex(4)}"
        self.address = f"unix://{folder}/engine.sock"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> None:
        """Start it and wait until it answers; ``RuntimeError`` with its last words if it does not."""
        command = [
            # a network of its own: an engine without a bridge removes the one that it finds
            *("unshare", "--net", "dockerd", "--host", self.address, "--bridge=none"),
            *("--iptables=false", "--ip6tables=false", "--data-root", f"{self._folder}/data"),
            *("--exec-root", f"{self._folder}/exec", "--pidfile", f"{self._folder}/engine.pid"),
            # where a system's containerd runs both engines' containers, each has its own
            *(
                "--containerd-namespace",
                self._name,
                "--containerd-plugins-namespace",
                f"{self._name}-plugins",
            ),
            *options,
        ]
        log = self._folder / "engine.log"
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, start_new_session=True
            )
        deadline = time.monotonic() + START_S
        while self._process.poll() is None and time.monotonic() < deadline:
            with suppress(docker.errors.DockerException, requests.RequestException):
                self.client().ping()
                return
            time.sleep(0.1)
        words = " ".join(log.read_text(errors="replace").splitlines()[-5:])
        self.stop()
        raise RuntimeError(f"a second Docker engine does not start: {words[-600:]}")

    def client(self) -> docker.DockerClient:
        """A client of it."""
        return docker.DockerClient(base_url=self.address)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it: by SIGTERM in order, as a service is stopped; by SIGKILL as by the kernel's killer."""
        if self._process is None:
            return
        self._process.send_signal(how)
        self._process.wait(STOP_S)
        self._process = None

    def remove(self) -> None:
        """End it with all that it started, and remove its folder."""
        if self._process is None and (self._folder / "engine.pid").exists():
            with suppress(RuntimeError):
                self.start()  # it finds what it left when it was killed, and ends that with itself
        self.stop()
        with Path("/proc/self/mounts").open() as mounts:
            below = [words[1] for line in mounts if (words := line.split())[1].startswith(f"{self._folder}/")]
        for place in reversed(below):
            subprocess.run(["umount", "--lazy", place], check=False)
        shutil.rmtree(self._folder, ignore_errors=True)


def missing() -> str | None:
    """Why no second engine can be had here; null where one can."""
    if absent := [name for name in PARTS if shutil.which(name) is None]:
        return f"{' and '.join(absent)} not installed"
    return None if os.geteuid() == 0 else "only root may start a second Docker engine"


@contextmanager
def second_engine() -> Iterator[SecondEngine]:
    """One that runs, until the end of the block; ``RuntimeError`` if it cannot be started."""
    engine = SecondEngine(Path(tempfile.mkdtemp(prefix="engine-", dir="/var/tmp")))
    try:
        engine.start()
        yield engine
    finally:
        engine.remove()
