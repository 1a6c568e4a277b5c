"""Chromium for tests: pages that remember their faults, and a folder served on this machine."""

from __future__ import annotations

import functools
import http.server
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


PATIENCE_MS = 180_000
"""What a machine with other work may need for anything; all waits are for a condition, and this ends a hang."""


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        return


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of ``folder``, with a slash at its end, while it is served."""
    handler = functools.partial(_Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


def open_page(browser: Any, **options: Any) -> Any:
    """A page that remembers script errors and requests to anywhere else."""
    page = browser.new_context(reduced_motion="reduce", **options).new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.faults = []
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.on(
        "request",
        lambda request: (
            None
            if re.match(r"(http://127\.0\.0\.1:|data:|blob:)", request.url)
            else page.faults.append(request.url)
        ),
    )
    page.on(  # leaving a page aborts what it was still loading
        "requestfailed",
        lambda request: (
            None if "ABORTED" in request.failure else page.faults.append(f"{request.failure} {request.url}")
        ),
    )
    page.on(
        "response", lambda answer: answer.status < 400 or page.faults.append(f"{answer.status} {answer.url}")
    )
    return page


def leave_search_empty(page: Any) -> None:
    """Material makes its whole search ready on each page: seconds of a core, for what most tests never ask."""
    index = {"config": {"lang": ["en"], "separator": " ", "pipeline": [], "fields": {}}, "docs": []}
    page.route("**/search_index.json", lambda route: route.fulfill(json=index))


def charts(page: Any) -> Any:
    """The charts of a page that was scrolled through."""
    page.mouse.move(5, 5)
    for figure in page.locator("[data-trials]").all():
        figure.scroll_into_view_if_needed()
        figure.locator(".fb-live").nth(figure.locator(".fb-course").count() - 1).wait_for()
    return page.locator(".fb-live")
