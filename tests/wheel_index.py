"""A package index over real HTTP that can be told to misbehave, and wheels for it."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import threading
import zipfile
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote


def make_wheel(
    name: str, version: str, padding: int = 0, requires: tuple[str, ...] = (), tag: str = "py3-none-any"
) -> tuple[str, bytes]:
    """File name and content of a wheel with ``padding`` bytes of data that differ by name and version."""
    info = f"{name}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {requirement}\n" for requirement in requires)
    members = {
        f"{name}.py": hashlib.shake_128(f"{name}{version}{tag}".encode()).digest(padding),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n",
        f"{info}/RECORD": "",
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for member, data in members.items():
            archive.writestr(zipfile.ZipInfo(member), data)
    return f"{name}-{version}-{tag}.whl", packed.getvalue()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class WheelIndex(ThreadingHTTPServer):
    """A simple index at ``url``, HTML (PEP 503) or JSON (PEP 691), its wheels and their metadata (PEP 658).

    A context manager.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.json = False  # which tells sizes too
        self.hashes = True  # published on the project's page
        self.ranges = True
        self.yanked: dict[str, str] = {}
        self.uploaded: dict[str, str] = {}  # by file name, when (ISO); JSON only (PEP 700)
        self.status: dict[str, int] = {}  # answered instead of the file
        self.password: str | None = None  # of the user "me"
        self.busy = 0  # how many of the next pages are refused with 503
        self.cut: list[int] = []  # bytes after which the next answers break off
        self.before_body: Callable[[str], None] = lambda name: None
        self.asked: list[tuple[str, str | None]] = []  # path, Range header

    def __enter__(self) -> WheelIndex:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.shutdown()
        self.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/simple/"

    def add(self, name: str, version: str = "1.0", padding: int = 0, **wheel: Any) -> tuple[str, bytes]:
        file, content = make_wheel(name, version, padding, **wheel)
        self.files[file] = content
        return file, content

    def downloads(self) -> list[tuple[str, str | None]]:
        return [(path.removeprefix("/files/"), asked) for path, asked in self.asked if "/files/" in path]

    def page(self, project: str) -> str | None:
        names = [name for name in self.files if name.partition("-")[0].replace("_", "-") == project]
        if self.json and names:
            return json.dumps({"meta": {"api-version": "1.0"}, "name": project, "files": self._json(names)})
        lines = []
        for name in names:
            fragment = f"#sha256={sha256(self.files[name])}" if self.hashes else ""
            yanked = f' data-yanked="{self.yanked[name]}"' if name in self.yanked else ""
            lines.append(f'<a href="/files/{name}{fragment}" data-core-metadata="true"{yanked}>{name}</a>')
        return "<!DOCTYPE html>\n" + "\n".join(lines) if names else None

    def _json(self, names: list[str]) -> list[dict[str, Any]]:
        return [
            {
                "filename": name,
                "url": f"{self.url.removesuffix('simple/')}files/{name}",
                "hashes": {"sha256": sha256(self.files[name])},
                "size": len(self.files[name]),
                "core-metadata": True,
                "yanked": self.yanked.get(name, False),
                **({"upload-time": self.uploaded[name]} if name in self.uploaded else {}),
            }
            for name in names
        ]


class _Handler(BaseHTTPRequestHandler):
    server: WheelIndex

    def do_GET(self) -> None:
        index = self.server
        index.asked.append((self.path, self.headers["Range"]))
        folder, name = re.fullmatch(r"/(simple|files)/([^/]+)/?", self.path).groups()  # type: ignore[union-attr]
        if index.password:
            wanted = base64.b64encode(f"me:{index.password}".encode()).decode()
            if self.headers["Authorization"] != f"Basic {wanted}":
                self._answer(401, b"", {"WWW-Authenticate": "Basic"})
                return
        if folder == "simple" and index.busy:
            index.busy -= 1
            self._answer(503, b"")
            return
        if folder == "simple":
            page = index.page(name)
            kind = "application/vnd.pypi.simple.v1+json" if index.json else "text/html"
            self._answer(200 if page else 404, (page or "").encode(), {"Content-Type": kind})
            return
        name = unquote(name)
        if name.endswith(".metadata"):
            with zipfile.ZipFile(io.BytesIO(index.files[name.removesuffix(".metadata")])) as wheel:
                self._answer(200, wheel.read(next(n for n in wheel.namelist() if n.endswith("/METADATA"))))
            return
        if name in index.status:
            self._answer(index.status[name], b"")
            return
        content = index.files[name]
        first = int(re.fullmatch(r"bytes=(\d+)-", self.headers["Range"])[1]) if self.headers["Range"] else 0  # type: ignore[index]
        if first and index.ranges:
            if first >= len(content):
                self._answer(416, b"")
                return
            where = {"Content-Range": f"bytes {first}-{len(content) - 1}/{len(content)}"}
            self._answer(206, content[first:], where, name)
        else:
            self._answer(200, content, {}, name)

    def _answer(
        self, status: int, body: bytes, headers: dict[str, str] | None = None, name: str = ""
    ) -> None:
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if name:
            if self.server.cut:
                body = body[: self.server.cut.pop(0)]
            half = len(body) // 2
            self.wfile.write(body[:half])
            self.server.before_body(name)
            body = body[half:]
        self.wfile.write(body)
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass
