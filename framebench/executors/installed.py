"""What is installed under this interpreter, as one hash: the environment of trials that no lock made."""

from __future__ import annotations

import hashlib
import platform
import re
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions


def packages_sha256(modules: Iterable[str]) -> str:
    """SHA-256 over Python's version and the names and versions of what these modules and the harness need.

    What a package asks for counts, and of its extras what holds CUDA. Other packages do not: installing one makes
    no other environment.
    """
    by_module = packages_distributions()
    to_visit = ["numpy", *(name for module in modules for name in by_module.get(module, [module]))]
    found: dict[str, str] = {}
    while to_visit:
        name = _canonical(to_visit.pop())
        if name in found:
            continue
        try:
            package = distribution(name)
        except PackageNotFoundError:  # not wanted here: an extra, or another platform's
            continue
        found[name] = package.version
        to_visit += _wanted_by(name, package.requires or [])
    lines = [f"python=={platform.python_version()}", *(f"{name}=={found[name]}" for name in sorted(found))]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _wanted_by(name: str, requirements: Iterable[str]) -> Iterator[str]:
    for requirement in requirements:
        wanted = _canonical(re.split(r"[^\w.-]", requirement, maxsplit=1)[0])
        if not re.search(r"\bextra\s*==", requirement) or wanted.startswith(("nvidia-", f"{name}-")):
            yield wanted


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
