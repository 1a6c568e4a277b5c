"""Where a locked wheel can be had: the package indexes and folders that pip is configured with.

``unearth`` (the finder of PDM) reads simple indexes in HTML and JSON, folders and ``file:`` addresses.
"""

from __future__ import annotations

import ast
import logging
import os
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

import httpx2
from packaging.version import InvalidVersion, Version
from unearth import PackageFinder
from unearth.auth import MultiDomainBasicAuth
from unearth.fetchers import PyPIClient

from framebench.errors import UserError
from framebench.images.fetch.download import PAUSES_S, redacted
from framebench.images.locks import Wheel

_PYPI = "https://pypi.org/simple/"
_TIMEOUT_S = 30.0
_log = logging.getLogger("unearth")
_log.propagate = False  # what it warns of is heard below and part of our own sentences
One = TypeVar("One")


class Offer(NamedTuple):
    """A file of the wanted package and version that some place has."""

    url: str
    name: str
    sha256: str | None  # null where the place does not publish it
    yanked: str | None  # why its authors withdrew it


class Newest(NamedTuple):
    """The newest release of a project, when the index got its first wheel, and the page that says so."""

    version: str
    released: date | None  # null where the place does not publish it
    source: str


class Indexes:
    """pip's index, its extra indexes, its find-links, then ``extra``, asked in that order."""

    def __init__(self, extra: str | None) -> None:
        pip = pip_settings()
        none = pip.get("no-index", ["false"])[0].lower() in ("1", "true", "yes", "on")
        indexes = [] if none else [*pip.get("index-url", [_PYPI])[:1], *pip.get("extra-index-url", [])]
        last = [extra] if extra and not none else []
        links = pip.get("find-links", [])
        self.client = _client(pip, [*indexes, *last])
        self._places = [
            (
                where,
                PackageFinder(
                    session=cast(Any, self.client),
                    index_urls=[] if where in links else [where],
                    find_links=[where] if where in links else [],
                    ignore_compatibility=True,  # the hash in the lock says which file it is
                    only_binary=[":all:"],
                ),
            )
            for where in (*indexes, *links, *last)
        ]

    def search(self, wheel: Wheel) -> Iterator[tuple[str, list[Offer]]]:
        """Place by place, only when asked for the next: what came of looking there, and the files of this
        name and version, the one with the lock's hash first."""
        name, _, version = wheel.pin.partition("==")
        for where, finder in self._places:
            offers, said = _asked(partial(_offers, finder, name, version))
            what = f"{len(offers)} files of this version" if offers else "not there"
            yield (
                f"{redacted(where)} ({'; '.join(said) or what})",
                sorted(offers, key=lambda o: o.sha256 != wheel.sha256),
            )

    def newest(self, name: str) -> Newest:
        """The newest release with a wheel that is neither withdrawn nor a pre-release, at the first place that has one.

        Raises
        ------
        UserError
            with what each place said, where none has one.
        """
        heard = []
        for where, finder in self._places:
            wheels, said = _asked(partial(_wheels, finder, name))
            if wheels:
                version = max(one.version for one in wheels)
                times = [one.released for one in wheels if one.version == version]
                known = [one for one in times if one is not None]
                page = f"{redacted(where).rstrip('/')}/{name}/"
                return Newest(str(version), min(known) if known else None, page)
            heard.append(f"{redacted(where)} ({'; '.join(said) or 'not there'})")
        raise UserError(
            f"no package index that pip is configured with has a release of {name}: {', '.join(heard)}; "
            "look at `pip config list`."
        )


def pip_settings() -> dict[str, list[str]]:
    """What ``pip config list`` says, by option: its environment above ``[download]`` above ``[global]``."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    lines = subprocess.run(command, text=True, capture_output=True).stdout.splitlines()
    settings: dict[str, list[str]] = {}
    for wanted in ("global", "download", ":env:"):
        for line in lines:
            key, _, value = line.partition("=")
            section, _, option = key.rpartition(".")
            if section == wanted:
                settings[option] = str(ast.literal_eval(value)).split()
    return settings


def _client(pip: dict[str, list[str]], indexes: list[str]) -> PyPIClient:
    bundle = pip.get("cert", [os.environ.get("REQUESTS_CA_BUNDLE", "")])[0]
    timeout = float(pip.get("timeout", pip.get("default-timeout", [_TIMEOUT_S]))[0])
    verify: ssl.SSLContext | bool = True
    if bundle:
        folder = Path(bundle).is_dir()
        verify = ssl.create_default_context(
            cafile=None if folder else bundle, capath=bundle if folder else None
        )
    return PyPIClient(
        auth=MultiDomainBasicAuth(prompting=False, index_urls=indexes),
        trusted_hosts=pip.get("trusted-host", []),
        verify=verify,
        proxy=pip.get("proxy", [None])[0],
        timeout=timeout,
        follow_redirects=True,
    )


def _asked(ask: Callable[[], list[One]]) -> tuple[list[One], list[str]]:
    """What one place has, and what it said when it did not answer as it should; a fault of its is tried again."""
    for pause in (*PAUSES_S[:2], None):
        answer: list[One] = []
        with _heard() as said:
            try:
                answer = ask()
            except (httpx2.HTTPError, OSError) as error:
                said.append(str(error) or type(error).__name__)
            else:
                if not any("Server Error" in line for line in said):
                    break
        if pause is not None:
            time.sleep(pause)
    return answer, said


def _offers(finder: PackageFinder, name: str, version: str) -> list[Offer]:
    return [
        Offer(
            package.link.url_without_fragment,
            package.link.filename,
            (package.link.hash_option or {}).get("sha256", [None])[0],
            str(package.link.yank_reason) if package.link.is_yanked else None,
        )
        for package in finder.find_all_packages(name, allow_yanked=True)
        if _same_version(package.version, version)
    ]


class _Released(NamedTuple):
    version: Version
    released: date | None


def _wheels(finder: PackageFinder, name: str) -> list[_Released]:
    """Those of releases proper: no pre-release, no local version, nothing withdrawn."""
    found = []
    for package in finder.find_all_packages(name, allow_yanked=False):
        try:
            version = Version(package.version or "")
        except InvalidVersion:
            continue
        if not (version.is_prerelease or version.local):
            at = package.link.upload_time
            found.append(_Released(version, at.astimezone(UTC).date() if at else None))
    return found


def _same_version(offered: str | None, wanted: str) -> bool:
    """Equal with their local parts: 2.13.0 is not 2.13.0+cpu, though ``==2.13.0`` would take both."""
    try:
        return offered is not None and Version(offered) == Version(wanted)
    except InvalidVersion:
        return False


@contextmanager
def _heard() -> Iterator[list[str]]:
    """What unearth warns of in this thread, e.g. an index that answers 404, instead of on stderr."""
    said: list[str] = []
    thread = threading.get_ident()
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: said.append(record.getMessage()) if record.thread == thread else None  # type: ignore[method-assign]
    _log.addHandler(handler)
    try:
        yield said
    finally:
        _log.removeHandler(handler)
