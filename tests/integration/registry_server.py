"""Debian's docker-registry on this machine for a test, and a proxy in front of it that can lie or break off."""

from __future__ import annotations

import http.client
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

from framebench.errors import UserError
from framebench.images.make import engine
from tests.requirement import require

HOST = "127.0.0.1"
Answer = tuple[int, dict[str, str], bytes]
Change = Callable[[str, Answer], Answer | None]
"""Path and the registry's answer -> what the proxy sends; null: half of it, and the connection breaks."""


def require_registry() -> None:
    """Skip where the Docker engine, docker-registry or skopeo is missing."""
    try:
        engine.require_engine()
    except UserError as error:
        require("docker", False, str(error))
    missing = [name for name in ("docker-registry", "skopeo") if shutil.which(name) is None]
    require("registry", not missing, f"{' and '.join(missing)} not installed")


class Registry:
    """A registry with its storage in ``folder``; it keeps its port when it is killed and started again."""

    def __init__(self, folder: Path, auth: str = "") -> None:
        self.storage = folder / "storage"
        self.port = free_port()
        self.address = f"{HOST}:{self.port}"
        self._config = folder / "registry.yml"
        self._log = folder / "registry.log"
        self._config.write_text(
            "version: 0.1\nlog: {level: error}\n"
            f"storage: {{filesystem: {{rootdirectory: {self.storage}}}}}\n"
            f"http: {{addr: '{self.address}'}}\n{auth}"
        )
        self.start()

    def start(self) -> None:
        with self._log.open("a") as log:
            self._process = subprocess.Popen(
                ["docker-registry", "serve", str(self._config)], stdout=log, stderr=log
            )
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection((HOST, self.port), timeout=1).close()
                return
            except OSError:
                assert self._process.poll() is None and time.monotonic() < deadline, self._log.read_text()
                time.sleep(0.05)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def blob(self, digest: str) -> Path:
        """The file that holds a blob."""
        hexadecimal = digest.removeprefix("sha256:")
        folder = self.storage / "docker/registry/v2/blobs/sha256" / hexadecimal[:2] / hexadecimal
        return folder / "data"


def free_port() -> int:
    with socket.create_server((HOST, 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def proxy(registry: Registry, change: Change, port: int = 0) -> Iterator[str]:
    """Address of a proxy in front of ``registry`` that passes every answer through ``change``."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        hop: ClassVar = {"transfer-encoding", "connection", "content-length"}

        def do_GET(self) -> None:
            try:
                answer = self._ask()
            except OSError:  # the registry is dead, so the proxy is
                self.close_connection = True
                return
            changed = change(self.path, answer)
            status, headers, body = changed or answer
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in self.hop:
                    self.send_header(name, value)
            length = headers["Content-Length"] if self.command == "HEAD" else str(len(body))
            self.send_header("Content-Length", length)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body if changed else body[: len(body) // 2])
            self.close_connection = changed is None

        do_HEAD = do_PUT = do_GET

        def _ask(self) -> Answer:
            connection = http.client.HTTPConnection(HOST, registry.port, timeout=30)
            try:
                connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():  # some come several times
                    connection.putheader(name, value)
                connection.endheaders(self.rfile.read(int(self.headers.get("Content-Length", 0))))
                answer = connection.getresponse()
                return answer.status, dict(answer.getheaders()), answer.read()
            finally:
                connection.close()

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            pass  # the engine hangs up on a lie

    server = Server((HOST, port), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"{HOST}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
