"""Get a file from a mirror or a blob from a registry, without an account."""

from __future__ import annotations

import ipaddress
import json
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, parse_http_list, parse_keqv_list, urlopen

TIMEOUT_S = 60


def get(url: str) -> bytes:
    """The body behind ``url``. A registry that asks for a token gets an anonymous one.

    Raises
    ------
    OSError
        when it cannot be had; http.client's exceptions and ``ValueError`` for an answer that makes no sense.
    """
    try:
        return _read(Request(url))
    except HTTPError as error:
        kind, _, challenge = error.headers.get("WWW-Authenticate", "").partition(" ")
        if error.code != 401 or kind.lower() != "bearer":
            raise
    request = Request(url)
    # not passed on when the registry redirects to a store elsewhere, which would refuse it
    request.add_unredirected_header("Authorization", f"Bearer {_token(challenge)}")
    return _read(request)


def blob_url(repository: str, digest: str) -> str:
    """Address of a blob of ``HOST/PATH`` in the registry's API (OCI distribution spec)."""
    host, _, path = repository.partition("/")
    host = "registry-1.docker.io" if host == "docker.io" else host
    return f"{'http' if is_loopback(host) else 'https'}://{host}/v2/{path}/blobs/{digest}"


def is_loopback(host: str) -> bool:
    """Whether a registry ``HOST[:PORT]`` is on this machine: Docker speaks plain HTTP with it, and so do we."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return name == "localhost"


def _read(request: Request) -> bytes:
    with urlopen(request, timeout=TIMEOUT_S) as answer:
        body: bytes = answer.read()
    return body


def _token(challenge: str) -> str:
    """An anonymous token, as the distribution spec's token authentication hands them out."""
    asked = parse_keqv_list(parse_http_list(challenge))
    if "realm" not in asked:
        raise ValueError(f"the registry asks for a token and names no realm: {challenge}")
    query = urlencode([(key, asked[key]) for key in ("service", "scope") if key in asked])
    answer = json.loads(_read(Request(f"{asked['realm']}?{query}")))
    return str(answer.get("token") or answer["access_token"])
