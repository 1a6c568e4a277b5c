"""The checkout and the machine that this process measures with."""

from __future__ import annotations

from pathlib import Path

from framebench.executors.machine import host_id
from framebench.images import harness_tree_sha256
from framebench.records.provenance import Checkout


def this_checkout(root: Path) -> Checkout:
    """The checkout at ``root``, measured on this machine; reads the whole of ``harness/``, so ask once.

    An executor that measures elsewhere says so (``Executor.machine``).
    """
    return Checkout.of(root, harness_tree_sha256(root), host_id())
