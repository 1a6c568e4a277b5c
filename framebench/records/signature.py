"""Signatures of manifests, made and judged by OpenSSH's ``ssh-keygen -Y``: whoever pushes by SSH has a key already."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Literal, NamedTuple

from framebench.errors import UserError, one_line
from framebench.records.placing import signature_path

NAMESPACE = "framebench"
"""Part of what is signed, so that no signature made for another purpose counts here."""
MOST_BYTES = 64 << 10
INSTALL = "install OpenSSH (for example `apt install openssh-client`)"


class Signature(NamedTuple):
    """``known``: by the key of ``signer``; ``unknown``: right, by a key that nobody vouches for; ``wrong``: of other
    bytes or damaged; ``unchecked``: there is no ``ssh-keygen``. ``key`` is its fingerprint, where there is one."""

    state: Literal["known", "unknown", "wrong", "unchecked"]
    signer: str | None = None
    key: str | None = None


def sign(content: bytes, key: Path) -> bytes:
    """A detached signature by a private key, or by the agent's where ``key`` is a public one; may ask for a passphrase.

    Raises
    ------
    UserError
        where there is no ``ssh-keygen``, or it does not sign with this key.
    """
    done = _ssh_keygen(content, "sign", "-n", NAMESPACE, "-f", str(key.absolute()))
    if done is None:
        raise UserError(f"there is no ssh-keygen on the path: {INSTALL}")
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["it says nothing"]
        raise UserError(
            f"--key {key}: ssh-keygen does not sign with it: {one_line(said[-1])}; name an SSH key"
        )
    return done.stdout


def verify(content: bytes, signature: Path, allowed_signers: Path | None) -> Signature:
    """Judge a detached signature; ``allowed_signers`` names keys as in ssh-keygen(1): without it none is known."""
    if not signature.is_file() or signature.stat().st_size > MOST_BYTES:
        return Signature("wrong")
    file = ["-s", str(signature.absolute())]
    good = _ssh_keygen(content, "check-novalidate", "-n", NAMESPACE, *file)
    if good is None:
        return Signature("unchecked")
    found = re.search(rb" key (SHA256:[A-Za-z0-9+/]+)", good.stdout)
    if good.returncode or not found:
        return Signature("wrong")
    key = found[1].decode()
    if allowed_signers is None or not allowed_signers.is_file():
        return Signature("unknown", key=key)
    known = ["-f", str(allowed_signers.absolute()), *file]
    named = _ssh_keygen(b"", "find-principals", *known)
    names = named.stdout.decode(errors="replace").splitlines() if named and not named.returncode else []
    for signer in names:
        held = _ssh_keygen(content, "verify", *known, "-I", signer, "-n", NAMESPACE)
        if held is not None and not held.returncode:
            return Signature("known", signer, key)
    return Signature("unknown", key=key)


def judge(manifest: Path, allowed_signers: Path | None) -> Signature | None:
    """The signature that lies beside a manifest; null where it is unsigned."""
    signature = signature_path(manifest)
    return verify(manifest.read_bytes(), signature, allowed_signers) if signature.exists() else None


def _ssh_keygen(content: bytes, *arguments: str) -> subprocess.CompletedProcess[bytes] | None:
    """Null where there is none."""
    try:
        return subprocess.run(["ssh-keygen", "-Y", *arguments], input=content, capture_output=True)
    except FileNotFoundError:
        return None
